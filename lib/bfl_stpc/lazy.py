"""Modules that are imported when they are first used: a role that never trains must not wait for TensorFlow."""

from __future__ import annotations

import gc
import importlib
import sys
from types import ModuleType
from typing import Any


class Lazy:
    """Stands for the module called `name`, and imports it when something of it is asked for.

    >>> Lazy("math").sqrt(4.0)
    2.0
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(sys.modules.get(self._name) or _imported(self._name), attribute)

    def __setattr__(self, attribute: str, value: Any) -> None:
        if attribute == "_name":
            super().__setattr__(attribute, value)
        else:
            setattr(_imported(self._name), attribute, value)


def _imported(name: str) -> ModuleType:
    """Import a module with the search for cyclic garbage paused: of TensorFlow's import it takes a quarter."""
    pausing = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        if pausing:
            gc.enable()
