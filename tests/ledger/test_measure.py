"""The measuring itself: its parts add up, and it compares what it says that it compares."""

from bfl_stpc.ledger import measure


def test_steps_of_a_login_make_up_its_total():
    found = measure.speed(repeats=5, batch=10)
    steps = found["login_ms"]["steps"]
    assert set(steps) == {"challenge", "typed", "build", "sign", "submit", "execute", "mine", "receipt", "decode"}
    assert all(v >= 0 for v in steps.values())
    assert found["login_ms"]["median"] <= found["login_ms"]["p95"]
    assert found["batch_per_second"] > 0


def test_without_coincurve_signing_takes_longer():
    runs = measure.compare(repeats=5, batch=5)
    fast, slow = (runs[name]["login_ms"]["steps"] for name in ("coincurve", "pure Python"))
    assert slow["sign"] > fast["sign"]


def test_growth_reviews_what_it_says():
    found = measure.growth((50, 100))
    assert [row["entries"] for row in found] == [50, 100]
    assert all(row["review_s"] > 0 and row["verify_one_ms"] > 0 for row in found)
