"""Clean runs: every detector looks at clean events too, and what holds by construction raises no alarm on them."""

from bfl_stpc import detection
from bfl_stpc.detection.catalogue import Basis


def test_every_detector_has_a_clean_control_and_certain_ones_stay_silent(bench, catalogue):
    watched: dict[type, set[str]] = {}
    for name in catalogue.kinds:
        found = detection.registry()[name].bench
        if found not in watched and catalogue.kinds[name].basis is not Basis.STATISTICAL:
            rows = bench(name).clean(60)
            assert sum(row.events for row in rows) >= 60
            assert all(row.events > 0 for row in rows)
            assert sum(row.alarms for row in rows) == 0, found
            watched[found] = {detector for row in rows for detector in row.detectors}
    for kind in catalogue.kinds.values():
        if kind.basis is Basis.CRYPTOGRAPHIC:
            assert set(kind.detectors) <= watched[detection.registry()[kind.id].bench], kind.id


def test_an_alarm_on_a_clean_event_would_be_counted(monkeypatch):
    from bfl_stpc import stpc
    from bfl_stpc.detection.rounds import RoundBench
    from bfl_stpc.errors import SumRefuted

    made = RoundBench(2)

    def refuse(*_):
        raise SumRefuted("a false alarm")

    monkeypatch.setattr(stpc, "verify_sum", refuse)
    rows = {row.check: row for row in made.clean(10)}
    assert rows["verify"].alarms == 2
    assert rows["close"].events == 0
    assert sum(row.alarms for row in rows.values()) == 2
