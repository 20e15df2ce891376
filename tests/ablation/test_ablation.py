"""Exact components leave the model as it is, to the last bit; what is not exact does not."""

import numpy as np
import pytest

from bfl_stpc import federated, privacy
from bfl_stpc.ablation import ALL, Combination, Path, collection, learn, meaningful, without
from bfl_stpc.errors import ConfigError
from bfl_stpc.seeds import generator

SPEC = federated.Mlp((6, 1))
PLAIN = federated.TrainConfig(SPEC, batch=16, learning_rate=0.5)
NOISY = privacy.DpConfig(SPEC, 0.5, 3, 1.0, 1.0, 0.5, privacy.NoiseSource.SIMULATION)
FEDERATED = [c for c in meaningful() if c.federated]


@pytest.fixture(scope="module")
def tables():
    made = {}
    for k in range(3):
        rng = generator("ablation in tests", k)
        X = rng.normal(size=(30 + 10 * k, 6)).astype(np.float32)
        made[f"hospital-{k}"] = federated.ClientData(X, (X[:, 0] > 0).astype(np.float32))
    return made


def trained(tables, combination, rounds=2):
    config = NOISY if combination.noise else PLAIN
    first, server = np.zeros(SPEC.size, np.float32), federated.Momentum(1.0, 0.5)
    return learn(tables, config, server, combination, first=first, rounds=rounds, experiment="ablation", seed=1)


@pytest.fixture(scope="module")
def models(tables):
    return {combination: trained(tables, combination) for combination in FEDERATED}


def test_every_combination_that_means_something_is_there_once():
    assert len(meaningful()) == len(set(meaningful())) == 4 + 16
    assert len({c.name for c in meaningful()}) == 20
    assert ALL.name == "FL + ledger + HE + SMPC + DP"


def test_updates_that_do_not_exist_cannot_be_protected():
    with pytest.raises(ConfigError, match="there are none"):
        Combination(masks=True)
    assert without("federated").name == "ledger + DP"
    assert without("masks").name == "FL + ledger + HE + DP"


@pytest.mark.parametrize("combination", FEDERATED, ids=lambda c: c.name)
def test_ledger_encryption_and_masks_change_no_bit_of_the_model(models, combination):
    bare = Combination(federated=True, noise=combination.noise)
    assert models[combination].last.tobytes() == models[bare].last.tobytes()


def test_noise_changes_the_model(models):
    assert models[Combination(True)].last.tobytes() != models[Combination(True, noise=True)].last.tobytes()


def test_fixed_point_differs_from_floats_by_its_rounding_alone(tables, models):
    first, server = np.zeros(SPEC.size, np.float32), federated.Momentum(1.0, 0.5)
    options = {"rounds": 2, "experiment": "ablation", "seed": 1}
    floats = federated.train(first, tables, PLAIN, server, **options).weights
    difference = np.abs(models[Combination(True)].last - floats).max()
    assert 0 < difference < 1e-3


def test_each_component_costs_something(models):
    def cost(*on):
        return models[Combination(True, **dict.fromkeys(on, True))].costs[0]

    assert cost().gas == 0 < cost("ledger").gas
    assert cost("encryption").sent > 2 * cost().sent
    assert cost("masks").sent == cost().sent  # at fixed point a mask adds no byte


def test_a_wrong_sum_would_be_noticed(tables, models, monkeypatch):
    honest = Path._opened
    monkeypatch.setattr(Path, "_opened", lambda self, sent, slots: honest(self, sent, slots) + np.uint64(1))
    assert trained(tables, Combination(True)).last.tobytes() != models[Combination(True)].last.tobytes()


def test_a_centre_collects_every_byte_once_and_pays_gas_only_with_a_ledger():
    records = {f"hospital-{k}": bytes([k]) * (100 + k) for k in range(3)}
    plain, booked = (collection(records, Combination(ledger=on), 1) for on in (False, True))
    assert plain.sent == booked.sent == 303
    assert plain.gas == 0 < booked.gas


def test_training_is_timed_apart_from_the_way(tables):
    run = trained(tables, Combination(True))
    assert len(run.training_ms) == len(run.costs) == 2
    assert min(run.training_ms) > 0
