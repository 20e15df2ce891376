"""The review: a file that tells who did what and verifies without the chain, and finds any alteration."""

import json
import sys

import pytest
from ledger.consortium import Consortium, sha

from bfl_stpc import errors, ledger
from bfl_stpc.ledger import Action, Purpose
from bfl_stpc.ledger.__main__ import main
from bfl_stpc.ledger.review import export, read

RECORD = sha("pseudonym")


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    team = Consortium(ledger.Chain.in_memory(), count=3, threshold=2)
    consents = team.led.consents
    consents.enrol(team.hospital(0), RECORD, team.patient.address, sha("c"))
    with pytest.raises(errors.AccessDenied):
        consents.request(team.hospital(1), RECORD, Purpose.TREATMENT, Action.READ)
    consents.grant(team.stranger, team.patient, RECORD, "hospital-01", Purpose.TREATMENT, Action.READ, seconds=99)
    consents.request(team.hospital(1), RECORD, Purpose.TREATMENT, Action.READ)
    consents.break_glass(team.hospital(2), RECORD, "unconscious after an accident")
    consents.request(team.hospital(2), RECORD, Purpose.EMERGENCY, Action.READ)
    team.led.trail.report(team.hospital(0), sha("other"), Purpose.OPERATIONS, Action.READ)
    team.led.trail.anchor(team.hospital(0), [b"a", b"b"])
    path = tmp_path_factory.mktemp("trail") / "trail.json"
    export(consents, path)
    return team, path


def test_it_says_who_did_what_why_and_by_which_consent(lived):
    team, path = lived
    findings = read(path, anchor=team.led.trail.anchor_point())
    told = [f.line() for f in findings]
    for line, expected in zip(
        told,
        ["there is no consent", "permitted read", "justification", "emergency declared", "nobody decided", "2 entries"],
        strict=True,
    ):
        assert expected in line
    granted = next(e for e in team.led.events() if e.name == "ConsentGranted")
    assert findings[1].entry.basis == granted.values["consent"]


def test_each_finding_carries_a_proof_that_holds_alone(lived):
    team, path = lived
    root = team.led.trail.anchor_point()["root"]
    for finding in read(path):
        finding.proof.verify(finding.entry.leaf(), root)


@pytest.mark.parametrize("how", ["entry", "delete", "head", "consent", "no consent", "cut"])
def test_any_alteration_of_the_file_is_found(lived, tmp_path, how):
    team, path = lived
    content = json.loads(path.read_text())
    if how == "entry":
        content["entries"][1]["actor"] = "hospital-02"
    elif how == "delete":
        del content["entries"][2], content["heads"][2]
    elif how == "head":
        content["heads"][3] = content["heads"][2]
    elif how == "consent":
        content["consents"][0]["actions"] = int(Action.TRAIN)
    elif how == "no consent":
        content["consents"] = []
    else:
        content["entries"].pop()
        content["heads"].pop()
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps(content))
    with pytest.raises(errors.TrailTampered):
        read(bad, anchor=team.led.trail.anchor_point())


def test_what_is_no_trail_is_refused(tmp_path):
    bad = tmp_path / "bad.json"
    for content in ("{}", "not json", '{"entries": [{"sequence": 0}], "heads": [], "anchor": {}, "consents": []}'):
        bad.write_text(content)
        with pytest.raises(errors.ConfigError, match="no exported trail"):
            read(bad)


def test_the_command_shows_filters_and_fails_clearly(lived, tmp_path, monkeypatch, capsys):
    _, path = lived

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["review", *map(str, arguments)])
        return main(), capsys.readouterr()

    code, shown = run(path)
    assert (code, len(shown.out.splitlines())) == (0, 7)
    code, shown = run(path, "--actor", "hospital-01")
    assert len(shown.out.splitlines()) == 3
    code, shown = run(path, "--record", sha("other").hex()[:6])
    assert len(shown.out.splitlines()) == 2
    bad = tmp_path / "bad.json"
    bad.write_text(path.read_text().replace("hospital-01", "hospital-02"))
    code, shown = run(bad)
    assert code == 1
    assert "entry 0" in shown.err
    assert run(tmp_path / "missing.json")[0] == 1
