import numpy as np
import pytest

from bfl_stpc import federated

SPEC = federated.Mlp((6, 8, 1))


@pytest.fixture(scope="session")
def spec():
    return SPEC


@pytest.fixture(scope="session")
def clients():
    """Three hospitals of 37, 80 and 5 records, with a signal to learn."""
    rng = np.random.default_rng(7)
    slope = rng.normal(size=6)
    tables = []
    for n in (37, 80, 5):
        X = rng.normal(size=(n, 6)).astype(np.float32)
        tables.append(federated.ClientData(X, (X @ slope + 0.3 * rng.normal(size=n) > 0).astype(np.int8)))
    return tables


@pytest.fixture
def weights(spec):
    return federated.init_weights(spec, 1)
