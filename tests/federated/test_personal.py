from dataclasses import replace

import numpy as np
import pytest

from bfl_stpc import federated
from bfl_stpc.errors import FederatedError


@pytest.fixture(scope="module")
def hospitals(clients):
    return dict(zip("abc", clients))


def fit(hospitals, spec, proximal, rounds=4):
    config = federated.TrainConfig(spec, epochs=3, batch=16, proximal=proximal)
    start = federated.init_weights(spec, 1)
    return federated.mean_regularised(start, hospitals, config, rounds=rounds, experiment="test", seed=1)


def test_the_mean_is_that_of_the_personal_models_by_records(hospitals, spec):
    mean, own = fit(hospitals, spec, 0.5)
    expected = federated.weighted_mean(list(own.values()), [len(h.y) for h in hospitals.values()])
    np.testing.assert_allclose(mean, expected, atol=1e-5)


def test_the_pull_sets_how_far_apart_the_models_end(hospitals, spec):
    def spread(proximal):
        mean, own = fit(hospitals, spec, proximal)
        return np.mean([np.linalg.norm(w - mean) for w in own.values()])

    assert spread(0.0) > 1.2 * spread(1.0) > 1.44 * spread(5.0)


def test_the_first_round_is_local_training_and_the_next_goes_on_from_each_own_model(hospitals, spec):
    start, config = federated.init_weights(spec, 1), federated.TrainConfig(spec, epochs=3, batch=16)
    _, once = fit(hospitals, spec, 0.0, rounds=1)
    seeds = [federated.personal.derive_seed("test", 1, name, 1) for name in hospitals]
    first = federated.local_updates(start, list(hospitals.values()), config, seeds)
    for own, update in zip(once.values(), first):
        np.testing.assert_allclose(own, start + update, atol=1e-5)
    # Without a pull the mean is of no consequence: the second round continues the first.
    _, twice = fit(hospitals, spec, 0.0, rounds=2)
    again = [federated.personal.derive_seed("test", 1, name, 2) for name in hospitals]
    for k, (name, own) in enumerate(twice.items()):
        more = federated.local_updates(once[name], [hospitals[name]], config, [again[k]])[0]
        np.testing.assert_allclose(own, once[name] + more, atol=1e-4)


def test_it_repeats_bit_for_bit_and_leaves_out_the_empty(hospitals, spec, clients):
    empty = {"d": federated.ClientData(clients[0].X[:0], clients[0].y[:0])}
    first, second = fit(hospitals, spec, 0.5), fit(hospitals | empty, spec, 0.5)
    assert first[0].tobytes() == second[0].tobytes()
    assert set(second[1]) == set(hospitals)
    with pytest.raises(FederatedError, match="0 hospitals"):
        fit(empty, spec, 0.5)
    with pytest.raises(FederatedError, match="0 rounds"):
        fit(hospitals, spec, 0.5, rounds=0)


def test_a_start_of_its_own_is_no_part_of_the_compiled_structure(spec):
    one = federated.PersonalConfig(spec, offset=np.zeros(spec.size, np.float32))
    assert one.structure() == replace(one, offset=np.ones(spec.size, np.float32)).structure()
