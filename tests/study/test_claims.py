"""The claims ledger: complete, judged by rule, and loud where a verdict is missing."""

import json
from dataclasses import replace

import pytest

from bfl_stpc.errors import ClaimError
from bfl_stpc.study import claims, paths
from bfl_stpc.study.claims import Claim

ABSTRACT = {
    "accuracy": 97.38,
    "auc": 1.0,
    "throughput": 1178.32,
    "authentication": 72.59,
    "execution": 36.78,
    "interruption_detection": 96.79,
    "accuracy_feacs": 93.18,
    "accuracy_ppflb": 91.14,
    "ordering": True,
    "federated_learning_matters": True,
    "blockchain_matters": True,
    "stpc_matters": True,
    "multi_hospital": True,
}
NUMBER = Claim(
    "a", "says", "abstract", 97.38, "%", "definition", "01_x", "a", tolerance={"absolute": 0.5, "reason": "r"}
)


def test_every_claim_of_the_abstract_is_listed_with_its_printed_value():
    assert {name: claim.printed for name, claim in claims.load_claims().items()} == ABSTRACT


def test_every_claim_says_how_it_is_judged():
    for claim in claims.load_claims().values():
        assert claim.definition
        assert isinstance(claim.printed, bool) or claim.tolerance["reason"], claim.id


@pytest.mark.parametrize(
    ("value", "interval", "explanation", "verdict"),
    [
        (97.0, None, None, claims.REPRODUCED),
        (96.5, (95.9, 97.1), None, claims.WITHIN_BAND),
        (95.0, (94.9, 95.1), "why", claims.DIFFERS),
        (95.0, (94.9, 95.1), None, claims.UNEXPLAINED),
        (95.0, None, None, claims.UNEXPLAINED),
    ],
)
def test_verdict_on_a_number(value, interval, explanation, verdict):
    assert claims.judge(replace(NUMBER, explanation=explanation), value, interval) == verdict


def test_verdict_on_a_yes_or_no():
    claim = replace(NUMBER, printed=True, tolerance=None)
    assert claims.judge(claim, True, None) == claims.REPRODUCED
    assert claims.judge(claim, False, None) == claims.UNEXPLAINED
    assert claims.judge(replace(claim, explanation="why"), False, None) == claims.DIFFERS


def test_a_claim_that_nothing_could_confirm_needs_its_reason():
    assert claims.judge(replace(NUMBER, reproducible=False, explanation="why"), 97.38, None) == claims.NOT_REPRODUCIBLE
    assert claims.judge(replace(NUMBER, reproducible=False), 97.38, None) == claims.UNEXPLAINED


def put(root, entries):
    (root / "data").mkdir(exist_ok=True)
    (root / "data" / "claims.yaml").write_text(json.dumps({"claims": entries}))


ENTRY = {
    "id": "x", "says": "s", "where": "abstract", "printed": 2.0, "unit": "1", "definition": "d",
    "notebook": "01_first", "result": "x", "tolerance": {"absolute": 0.1, "reason": "r"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([ENTRY | {"tolerence": 1}], r"claim x has unknown fields \['tolerence'\]"),
        ([ENTRY, ENTRY], "claim x stands twice"),
        ([{"id": "x"}], r"claim x: .*missing"),
        ([ENTRY | {"status": "done"}], "status may only be 'pending'"),
    ],
)
def test_malformed_claims_are_named(tmp_path, monkeypatch, entries, says):
    put(tmp_path, entries)
    monkeypatch.setattr(paths, "DATA", tmp_path / "data")
    with pytest.raises(ClaimError, match=says):
        claims.load_claims()


def test_verify_fails_on_the_unexplained_and_on_the_missing(tmp_path, monkeypatch):
    put(tmp_path, [ENTRY, ENTRY | {"id": "later", "status": "pending"}])
    monkeypatch.setattr(paths, "DATA", tmp_path / "data")
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    with pytest.raises(ClaimError, match=r"claim x: .*does not exist: run `make reproduce"):
        claims.verify("smoke")
    folder = tmp_path / "build/smoke/results/01_first"
    folder.mkdir(parents=True)
    result = {"x": {"value": 2.05, "interval": None, "unit": "1", "timing": False}}
    (folder / "results.json").write_text(json.dumps(result))
    assert [finding.verdict for finding in claims.verify("smoke")] == [claims.REPRODUCED, claims.PENDING]
    result["x"]["value"] = 3.0
    (folder / "results.json").write_text(json.dumps(result))
    with pytest.raises(ClaimError, match=r"x \(printed 2.0, measured 3.0\)"):
        claims.verify("smoke")


def test_readme_keeps_everything_outside_the_markers(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    (tmp_path / "README.md").write_text("head\n<!-- claims: begin -->\nold\n<!-- claims: end -->\ntail\n")
    claims.write_readme("new\n")
    assert (tmp_path / "README.md").read_text() == ("head\n<!-- claims: begin -->\nnew\n<!-- claims: end -->\ntail\n")
    (tmp_path / "README.md").write_text("no markers")
    with pytest.raises(ClaimError, match="lacks the lines"):
        claims.write_readme("new\n")


def test_the_readme_keeps_the_claims_of_the_larger_profile(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    (tmp_path / "README.md").write_text("<!-- claims: begin -->\n<!-- claims: end -->\n")
    assert "now holds" in claims.publish([], "quick")
    assert "now holds" in claims.publish([], "paper")
    assert "larger profile paper" in claims.publish([], "quick")
    assert "left as it is" in claims.publish([], "smoke")
    assert "Profile `paper`" in (tmp_path / "README.md").read_text()
