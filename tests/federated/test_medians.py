import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bfl_stpc import federated
from bfl_stpc.errors import FederatedError

numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(st.lists(numbers, min_size=1, max_size=6), min_size=1, max_size=4))
@settings(deadline=None, max_examples=100)
def test_the_median_over_hospitals_is_the_one_of_all_their_values(hospitals):
    parts = [np.array([[v, np.nan] for v in own] + [[np.nan, -v] for v in own], np.float32) for own in hospitals]
    asked = []

    def ask(threshold):
        asked.append(threshold)
        return np.sum([federated.count_at_most(part, threshold) for part in parts], axis=0)

    found = federated.medians(ask, 2)
    for column in (0, 1):
        values = np.sort(np.concatenate([part[:, column][np.isfinite(part[:, column])] for part in parts]))
        assert found[column] == values[(values.size - 1) // 2]
    assert len(asked) <= 33


def test_an_input_recorded_nowhere_is_named():
    X = np.array([[1, np.nan]], np.float32)
    with pytest.raises(FederatedError, match=r"inputs \[1\] are recorded nowhere"):
        federated.medians(lambda t: federated.count_at_most(X, t), 2)


def test_a_scaler_fills_with_what_it_is_told():
    X = np.array([[1.0], [2.0], [9.0], [np.nan]], np.float32)
    plain = federated.Scaler.from_statistics(federated.statistics(X))
    filled = federated.Scaler(plain.mean, plain.deviation, np.array([2.0]))
    assert plain.transform(X)[3, 0] == 0
    assert filled.transform(X)[3, 0] == filled.transform(X)[1, 0]
