"""Fixtures of a small consortium."""

import pytest
from system.small_system import SPEC, small_consortium

from bfl_stpc import federated, system


@pytest.fixture
def consortium():
    return small_consortium()


@pytest.fixture
def start():
    return system.State(0, federated.init_weights(SPEC, seed=1))
