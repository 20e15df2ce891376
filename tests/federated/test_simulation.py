import numpy as np
import pytest

from bfl_stpc import federated
from bfl_stpc.errors import FederatedError


@pytest.fixture(scope="module")
def hospitals(clients):
    return dict(zip("abc", clients))


def run(hospitals, spec, **changes):
    settings = {"rounds": 4, "experiment": "test", "seed": 1} | changes
    config = federated.TrainConfig(spec, batch=16)
    return federated.train(federated.init_weights(spec, 1), hospitals, config, federated.Averaging(), **settings)


def test_it_repeats_bit_for_bit_and_learns(hospitals, spec, clients):
    first, second = run(hospitals, spec, rounds=20), run(hospitals, spec, rounds=20)
    assert first.rounds.tobytes() == second.rounds.tobytes()
    assert federated.evaluate(first.weights, spec, clients[1].X, clients[1].y).accuracy > 0.9


def test_an_empty_hospital_is_left_out(hospitals, spec, clients):
    with_empty = hospitals | {"d": federated.ClientData(clients[0].X[:0], clients[0].y[:0])}
    assert run(with_empty, spec).rounds.tobytes() == run(hospitals, spec).rounds.tobytes()
    with pytest.raises(FederatedError, match="no hospital"):
        run({"d": with_empty["d"]}, spec)


def test_partial_participation_draws_anew(hospitals, spec):
    took_part = run(hospitals, spec, participation=0.5, rounds=8).took_part
    assert {len(names) for names in took_part} == {2}
    assert len(set(took_part)) > 1


def test_admission_decides_and_ends_the_run(hospitals, spec):
    def admit(number, names):
        return names[:1] if number < 3 else ()

    result = run(hospitals, spec, admit=admit, rounds=9)
    assert result.took_part == (("a",), ("a",))
    with pytest.raises(FederatedError, match="admitted"):
        run(hospitals, spec, admit=lambda *_: ())


def test_the_tail_is_averaged(hospitals, spec):
    result = run(hospitals, spec, tail=0.5)
    np.testing.assert_allclose(result.weights, result.rounds[2:].mean(0), rtol=1e-5, atol=1e-7)


def test_personalisation_fits_each_hospital_better(hospitals, spec, clients):
    general = run(hospitals, spec).weights
    config = federated.TrainConfig(spec, epochs=20, batch=16, proximal=0.01)
    personal = federated.apart(general, hospitals, config, experiment="test", seed=1)
    for name, client in hospitals.items():
        before, after = (federated.evaluate(w, spec, client.X, client.y).log_loss for w in (general, personal[name]))
        assert after < before


def test_pooling_keeps_every_record(hospitals):
    assert len(federated.pooled(hospitals).y) == 37 + 80 + 5


def test_tables_by_hospital_hold_each_row_once():
    rows = np.array([5, 1, 2, 8])
    inputs, hospital = np.arange(20, dtype=np.float32).reshape(10, 2), np.arange(10) % 3
    tables = federated.by_hospital(inputs, np.arange(10) % 2, hospital, ["a", "b", "c"], rows)
    assert [len(t.y) for t in tables.values()] == [0, 1, 3]
    np.testing.assert_array_equal(tables["c"].X[:, 0] // 2, [5, 2, 8])


@pytest.mark.parametrize(("alpha", "spread"), [(0.1, (0.2, 1)), (1000.0, (0, 0.06))])
def test_dirichlet_skews_the_outcomes_as_asked(alpha, spread):
    y, rows = np.arange(6000) % 3 == 0, np.arange(6000)
    hospital = federated.dirichlet(y, rows, 10, alpha, experiment="test", seed=1)
    shares = [y[rows[hospital == k]].mean() for k in range(10) if (hospital == k).sum() > 20]
    assert spread[0] <= np.std(shares) <= spread[1]
    again = federated.dirichlet(y, rows, 10, alpha, experiment="test", seed=1)
    np.testing.assert_array_equal(hospital, again)
