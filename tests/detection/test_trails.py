"""The trail detector: it learns from labels and from nothing else, and its threshold keeps the rate that it was fixed for."""

import numpy as np
import pytest

from bfl_stpc.detection import roc
from bfl_stpc.detection.browsing import draw_hospitals, learn, without
from bfl_stpc.detection.trails import ABUSES, FEATURES, Site, User, draw_weeks, features, week
from bfl_stpc.ledger.audit import Action


@pytest.fixture(scope="module")
def examined():
    return roc.examine([1], hospitals=5, users=15, weeks=6, rounds=25)


def test_it_tells_abuse_from_work_and_learns_nothing_from_shuffled_labels(examined):
    area = {name: np.mean(values) for name, values in examined["auc"].items()}
    assert area["federated"] > 0.85
    assert abs(area["labels shuffled"] - 0.5) < 0.2
    assert area["trails pooled"] > area["labels shuffled"] + 0.25


def test_curves_rise_from_zero_to_one_and_their_areas_agree(examined):
    for name, (curve,) in examined["curves"].items():
        assert (np.diff(curve) >= 0).all()
        assert curve[-1] == 1.0
        area = float(((curve[1:] + curve[:-1]) / 2 * np.diff(examined["fpr"])).sum())
        assert area == pytest.approx(examined["auc"][name][0], abs=0.02)


def test_every_kind_of_abuse_is_told_better_when_it_was_shown(examined):
    assert set(examined["kinds"]) == set(ABUSES)
    assert np.mean([np.mean(k["seen"]) - np.mean(k["unseen"]) for k in examined["kinds"].values()]) > 0.05


def test_the_threshold_counts_are_of_new_hospitals(examined):
    (point,) = examined["at_threshold"]
    assert point["abused"] + point["clean"] == 5 * 15 * 6
    assert point["alarms"] < 0.05 * point["clean"]
    assert point["found"] > 0.3 * point["abused"]


def test_the_threshold_is_passed_by_no_more_clean_weeks_than_asked():
    hospitals = draw_hospitals("test", 1, hospitals=2, users=10, weeks=5)
    detector = learn(hospitals, rounds=2, seed=1)
    clean = np.concatenate([w.X[w.abuse < 0] for w in hospitals.values()])
    score = detector.score(clean)
    assert (score > detector.threshold(clean, 0.1)).mean() <= 0.1
    assert (score > detector.threshold(clean, 0.0)).sum() == 0


def test_a_kind_that_was_left_out_is_gone_and_nothing_else():
    hospitals = draw_hospitals("test", 2, hospitals=2, users=20, weeks=5)
    left = without(hospitals, "snooping")
    for name, weeks in hospitals.items():
        gone = weeks.abuse == ABUSES.index("snooping")
        assert len(left[name].X) == len(weeks.X) - gone.sum()
        assert not (left[name].abuse == ABUSES.index("snooping")).any()


def test_abuse_shows_in_the_features_that_it_should():
    rng = np.random.default_rng(1)
    site = Site.draw(rng)
    user = User(0, 0, False, 0)
    quiet = features(site, user, week(site, user, np.random.default_rng(2)))
    exported = features(site, user, week(site, user, np.random.default_rng(2), "bulk export", 40))
    place = FEATURES.index("exports")
    assert np.expm1(exported[place]) - np.expm1(quiet[place]) == pytest.approx(40, abs=1e-3)
    entries = week(site, user, np.random.default_rng(2), "off-hours", 20)[-20:]
    assert set(entries[:, 2]) == {float(Action.READ)}
    assert (site.unit[entries[:, 1].astype(int)] == user.unit).all()


def test_a_share_of_weeks_holds_abuse_and_none_when_none_is_asked_for():
    assert (draw_weeks(np.random.default_rng(1), users=10, weeks=10, abused=0.0).abuse < 0).all()
    assert 0.2 < draw_weeks(np.random.default_rng(1), users=20, weeks=20, abused=0.3).y.mean() < 0.4
