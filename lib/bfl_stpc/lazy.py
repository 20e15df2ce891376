"""Modules that are imported when they are first used: a role that never trains must not wait for TensorFlow."""

from __future__ import annotations

import importlib
import sys
from typing import Any


class Lazy:
    """Stands for the module called `name`, and imports it when something of it is asked for.

    >>> Lazy("math").sqrt(4.0)
    2.0
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(sys.modules.get(self._name) or importlib.import_module(self._name), attribute)

    def __setattr__(self, attribute: str, value: Any) -> None:
        if attribute == "_name":
            super().__setattr__(attribute, value)
        else:
            setattr(importlib.import_module(self._name), attribute, value)
