import numpy as np

from bfl_stpc import ehr


def test_parts_are_disjoint_and_complete_within_each_hospital(features):
    parts = ehr.split(features, seed=3)
    together = np.concatenate([parts.train, parts.validation, parts.test])
    assert np.array_equal(np.sort(together), np.arange(len(features.y)))
    for k in range(len(features.hospitals)):
        n = features.at(k).size
        shares = [np.isin(features.at(k), part).sum() / n for part in (parts.train, parts.validation, parts.test)]
        assert np.abs(np.array(shares) - [0.7, 0.1, 0.2]).max() < 1 / n + 1e-12


def test_no_patient_is_in_two_parts(features):
    parts = ehr.split(features, seed=3)
    train = set(features.patient_ids[parts.train])
    assert train.isdisjoint(features.patient_ids[parts.test])
    assert train.isdisjoint(features.patient_ids[parts.validation])


def test_the_seed_decides(features):
    first, again, other = (ehr.split(features, seed=s) for s in (3, 3, 4))
    assert np.array_equal(first.test, again.test)
    assert not np.array_equal(first.test, other.test)
