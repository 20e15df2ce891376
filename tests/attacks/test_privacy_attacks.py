"""Each attack succeeds where nothing protects, and falls to a guess where its view is hidden or replaced."""

import numpy as np
import pytest
import tensorflow as tf

from bfl_stpc import ehr, federated
from bfl_stpc.attacks import inference, inversion, trials, views
from bfl_stpc.attacks.setting import Setting
from bfl_stpc.attacks.trials import Tamper, measure, success
from bfl_stpc.errors import ConfigError

K = 5  # hospitals of a round in the tests of views
KEEPS = {  # what each observer holds of an upload: rows as in OBSERVERS, columns FL, DP, HE, SMPC, all
    "anyone: the published sum": ("sum",) * 5,
    "aggregator": ("update", "update", "ciphertext", "masked slots", "ciphertext"),
    "key authority": ("update", "update", "update", "masked slots", "masked slots"),
    "aggregator + key authority": ("update", "update", "update", "masked slots", "masked slots"),
    "hospitals below threshold": ("sum",) * 5,
    "both + hospitals below threshold": ("update", "update", "update", "masked slots", "masked slots"),
    "aggregator + hospitals at threshold": ("update", "update", "ciphertext", "update", "ciphertext"),
    "both + hospitals at threshold": ("update",) * 5,
    "all other hospitals": ("update",) * 5,
}


@pytest.fixture(scope="module")
def setting():
    victims, attackers = (ehr.generate(ehr.CohortConfig(seed=seed, patients=1500)) for seed in (1, 2))
    return Setting.make(victims.features(), attackers.features(), hidden=16)


@pytest.fixture(scope="module")
def stage():
    return views.Stage(K, 1.0)


@pytest.fixture(scope="module")
def updates():
    return np.random.default_rng(0).normal(0, 0.01, (K, 900))


@pytest.mark.parametrize("column", range(5))
def test_what_each_observer_holds(stage, updates, column):
    played = stage.play(list(updates), views.PROTECTIONS[column])
    for observer in views.OBSERVERS:
        victim = 2
        view, source = played.view(observer, stage.names[victim]), KEEPS[observer.name][column]
        assert view.source == source, observer.name
        inside = [stage.names.index(name) for name in view.inside]
        near = np.abs(view.vector - updates[inside].sum(axis=0)).max()
        if source in ("update", "sum"):
            assert near <= K * stage.params.step
        else:
            assert abs(np.corrcoef(view.vector, updates[victim])[0, 1]) < 5 / np.sqrt(updates.shape[1])
            assert near > 1
    assert set(KEEPS) == {observer.name for observer in views.OBSERVERS}


def test_two_rounds_hide_one_update_differently(stage, updates):
    for protection, observer in ((views.HE, views.AGGREGATOR), (views.SMPC, views.AUTHORITY)):
        one, other = (stage.play(list(updates), protection).view(observer, stage.names[0]).vector for _ in range(2))
        assert abs(np.corrcoef(one, other)[0, 1]) < 5 / np.sqrt(one.size)


def test_protections_are_named_by_what_is_on():
    assert [p.name for p in views.PROTECTIONS] == ["FL only", "+ DP", "+ HE", "+ SMPC", "all"]
    assert views.Protection(encryption=True, masks=True).name == "+ HE + SMPC"


def test_unknown_coalitions_attacks_and_broken_rounds_are_refused(setting):
    with pytest.raises(ConfigError, match="colluding"):
        views.Observer("?", hospitals="some").colluders(5, 3)
    with pytest.raises(ConfigError, match="choose among"):
        success("telepathy", views.FL, views.AGGREGATOR, setting=setting, trials=10, seed=1)
    with pytest.raises(ConfigError, match="multiple of 10"):
        success("closed form", views.FL, views.AGGREGATOR, setting=setting, trials=15, seed=1)


def test_records_are_read_back_as_they_were_recorded(setting):
    read = setting.records(setting.table)
    assert setting.same(read, setting.recorded).mean() > 0.99  # values beyond eight deviations are cut
    wrong = read.copy()
    wrong[:, 2] += 1  # a millimetre of mercury, where there is a value
    assert not setting.same(wrong, setting.recorded)[~np.isnan(read[:, 2])].any()
    wrong = read.copy()
    wrong[:, 9] = np.where(np.isnan(wrong[:, 9]), 6.0, np.nan)
    assert not setting.same(wrong, setting.recorded).any()


@pytest.mark.parametrize("epochs", [1, 5])
def test_the_update_of_one_record_is_the_record(setting, epochs):
    attack = trials.Inversion(setting, 20, 1, epochs=epochs)
    vectors = attack.updates(noise=False)
    read = np.stack([setting.records(inversion.closed_form(setting, v)[:1])[0] for v in vectors])
    assert setting.same(read, setting.recorded[attack.rows[:, 0]]).all()


def test_of_a_small_batch_some_records_are_read_and_recognised(setting):
    attack = trials.Inversion(setting, 40, 1, batch=3)
    right = named = false = 0
    for vector, rows in zip(attack.updates(noise=False), attack.rows):
        found = inversion.closed_form(setting, vector)
        exact = setting.same(setting.records(found)[:, None], setting.recorded[rows][None])
        known = inversion.recognised(setting, found)
        right += exact.any(axis=0).sum()
        named += exact[known].any(axis=0).sum() if known.any() else 0
        false += (known & ~exact.any(axis=1)).sum()
    assert named > 0.9 * right > 0.3 * attack.rows.size
    assert false <= 0.05 * named


def test_gradient_matching_beats_a_guess_only_on_the_victims_own_update(setting):
    attack = trials.Inversion(setting, 10, 1, batch=2, matching=True, steps=150)
    honest = measure(attack, views.FL, [views.AGGREGATOR])[0]
    assert honest.detail["cosine"] > honest.detail["cosine of a guess"] + 0.4
    assert not honest.stopped
    for tamper in Tamper:
        control = measure(attack, views.FL, [views.AGGREGATOR], tamper=tamper)[0]
        assert control.stopped
        assert control.detail["cosine"] < control.detail["cosine of a guess"] + 0.15


def test_gradient_matching_warns_of_nothing_at_any_batch_size(setting, caplog):
    weights, vectors = (
        np.zeros(setting.spec.size, np.float32),
        np.random.default_rng(2).normal(size=(2, setting.spec.size)),
    )
    for batch in range(1, 9):
        inversion.match(setting, weights, vectors, batch, steps=1, rng=np.random.default_rng(batch))
    assert not caplog.messages


def test_linking_is_fair_to_guesses():
    rng = np.random.default_rng(3)
    hits = inversion.linked(rng.normal(size=(4000, 3, 8)), rng.normal(size=(4000, 20, 8)))
    assert abs(hits.mean() - 1 / 20) < 4 * np.sqrt(0.05 * 0.95 / 4000)


def test_assignment_finds_the_order():
    true = np.random.default_rng(4).normal(size=(6, 9))
    assert np.array_equal(inversion.assigned(true[[3, 1, 5, 0, 2, 4]], true), true)


@pytest.mark.parametrize("protection", views.PROTECTIONS, ids=lambda p: p.name)
def test_closed_form_works_where_the_update_is_seen_without_noise(setting, protection):
    attack = trials.Inversion(setting, 20, 1)
    for seen in measure(attack, protection, views.OBSERVERS):
        if seen.source == "update" and not protection.noise:
            assert seen.detail["exact"] > 0.9, seen
            assert not seen.stopped
        elif seen.source != "sum":
            assert seen.detail["exact"] == 0, seen
            assert seen.rate < 0.3


def test_per_record_gradients_add_up_to_that_of_the_loss_and_are_clipped(setting):
    w, X, y = federated.init_weights(setting.spec, 1), setting.table[:30], setting.y[:30]
    one_by_one = inference.gradients(setting.spec, w, X, y)
    _, mean = setting.spec.loss_and_gradient(tf.constant(w), tf.constant(X), tf.constant(y))
    np.testing.assert_allclose(one_by_one.mean(axis=0), mean, atol=1e-5)
    clipped = np.linalg.norm(inference.gradients(setting.spec, w, X, y, clip=0.5), axis=1)
    np.testing.assert_allclose(clipped, np.minimum(0.5, np.linalg.norm(one_by_one, axis=1)))


def test_evidence_is_the_likelihood_ratio_of_the_normal_model():
    rng, p, records = np.random.default_rng(5), 200, 7
    spread = rng.uniform(0.5, 2, p)
    population = inference.Population.of(rng.normal(1.0, spread, (20_000, p)))
    no, yes = np.zeros((300, p)) + 7.0, np.zeros((300, p)) + 7.0
    yes[:, :20] += 1.0
    sampled = np.where(np.arange(300)[:, None] % 2 == 1, yes, no) + rng.normal(0, spread * np.sqrt(records), (300, p))
    exact = ((yes - no) * (sampled - (yes + no) / 2) / (records * spread**2)).sum(axis=1)
    found = inference.evidence(sampled, no, yes, records, population)
    assert np.corrcoef(found, exact)[0, 1] > 0.97
    assert np.polyfit(exact, found, 1)[0] == pytest.approx(1, abs=0.15)


def test_a_view_that_is_noise_is_no_evidence():
    rng = np.random.default_rng(6)
    population = inference.Population.of(rng.normal(1.0, 1.0, (2000, 50)))
    no, yes = np.full((20, 50), 5.0), np.full((20, 50), 6.0)
    assert (np.abs(inference.evidence(rng.normal(0, 1e6, (20, 50)), no, yes, 5, population)) < 1e-3).all()
    assert (inference.evidence(yes, no, yes, 5, population) > 0).all()


def test_an_attribute_leaks_beyond_what_can_be_imputed_and_noise_stops_it(setting):
    attack = trials.AttributeInference(setting, 40, 1, batch=4)
    assert attack.truth.sum() == 20
    assert measure(attack, views.FL, [views.AGGREGATOR])[0].rate > 0.9
    for protection in (views.DP, views.HE, views.SMPC):
        assert measure(attack, protection, [views.AGGREGATOR])[0].stopped
    for tamper in Tamper:
        control = measure(attack, views.FL, [views.AGGREGATOR], tamper=tamper)[0]
        assert control.rate == pytest.approx(control.baseline, abs=0.1)


def test_record_level_noise_does_not_hide_a_fact_about_the_hospital_but_masks_do(setting):
    attack = trials.PropertyInference(setting, 40, 1)
    assert not measure(attack, views.DP, [views.AGGREGATOR])[0].stopped
    assert measure(attack, views.SMPC, [views.AGGREGATOR])[0].stopped
    assert measure(attack, views.DP, [views.AGGREGATOR], tamper=Tamper.SHUFFLED)[0].stopped


def test_membership_is_seen_in_the_update_and_not_where_it_is_hidden(setting):
    attack = trials.Membership(setting, 10, 1, shadows=8)
    assert (attack.member[8:].sum(axis=2) == attack.pool // 2).all()
    assert (attack.member[:8].sum(axis=0) == 4).all()
    plain, published = measure(attack, views.FL, [views.AGGREGATOR, views.ANYONE])
    assert plain.rate > max(0.7, published.rate)
    private = measure(attack, views.DP, [views.AGGREGATOR])[0]
    assert private.rate < plain.rate - 0.1
    assert measure(attack, views.ALL, [views.AGGREGATOR])[0].stopped
    assert measure(attack, views.FL, [views.AGGREGATOR], tamper=Tamper.RANDOM)[0].stopped


def test_what_is_not_hidden_repeats_bit_for_bit(setting):
    one, other = (success("property", views.DP, views.ANYONE, setting=setting, trials=10, seed=3) for _ in range(2))
    assert one == other
    assert one.trials == 10


def test_repetitions_are_pooled_and_other_cells_are_not():
    def cell(hits, n, base, seen="aggregator"):
        return trials.Success("a", "FL only", seen, "update", hits, n, base, {"x": base})

    both = trials.pooled([cell(3, 10, 0.2), cell(9, 30, 0.4)])
    assert (both.hits, both.trials) == (12, 40)
    assert both.baseline == both.detail["x"] == pytest.approx(0.35)
    with pytest.raises(ConfigError, match="cells"):
        trials.pooled([cell(1, 2, 0.5), cell(1, 2, 0.5, "anyone")])


def test_an_attack_is_stopped_when_luck_would_do_as_well():
    assert trials.Success("a", "p", "o", "s", 12, 20, 0.5).stopped
    assert not trials.Success("a", "p", "o", "s", 19, 20, 0.5).stopped
    low, high = trials.Success("a", "p", "o", "s", 19, 20, 0.5).interval
    assert 0.7 < low < 0.95 < high < 1
