"""The published catalogue, the code and the table agree; and a catalogue that contradicts itself is refused."""

import pytest
import yaml

from bfl_stpc import detection
from bfl_stpc.detection import access, rounds
from bfl_stpc.detection.catalogue import CATALOGUE, Basis, is_error
from bfl_stpc.errors import ConfigError

ENTRY = {
    "id": "x",
    "name": "X",
    "family": "f",
    "injects": "what",
    "levels": {"low": 1},
    "detectors": ["Corrupt"],
    "basis": "cryptographic",
    "consequence": "delay",
}
CONSEQUENCES = {"delay": {"weight": 1, "reason": "a reason"}}


def written(tmp_path, *entries):
    path = tmp_path / "catalogue.yaml"
    path.write_text(yaml.safe_dump({"consequences": CONSEQUENCES, "kinds": list(entries)}))
    return path


def test_every_kind_has_an_injection_and_every_injection_an_entry(catalogue):
    assert set(catalogue.kinds) == set(detection.registry())
    assert len(catalogue.kinds) >= 24


def test_every_kind_says_who_must_notice_it(catalogue):
    for kind in catalogue.kinds.values():
        if kind.basis is Basis.CRYPTOGRAPHIC:
            assert kind.detectors
            assert all(map(is_error, kind.detectors)), kind.id
        elif kind.basis is Basis.STATISTICAL:
            assert kind.detectors, kind.id
        else:
            assert kind.note, f"{kind.id}: nothing looks for it, and the entry does not say what would tell"


def test_every_consequence_has_a_weight_and_a_reason(catalogue):
    assert {kind.consequence for kind in catalogue.kinds.values()} == set(catalogue.weights)
    for kind in catalogue.kinds.values():
        weight, reason = catalogue.weights[kind.consequence]
        assert kind.weight == weight > 0
        assert len(reason.split()) > 5


def test_levels_are_told_apart_by_their_numbers(catalogue):
    for kind in catalogue.kinds.values():
        values = [level.value for level in kind.levels]
        assert len(set(values)) == len(values) or kind.id == "dropping", kind.id


def test_checks_name_errors_that_exist():
    for checks in (rounds.CHECKS, access.CHECKS):
        assert all(is_error(name) for names in checks.values() for name in names)


def test_a_sound_entry_is_read(tmp_path):
    found = detection.load(written(tmp_path, ENTRY))
    assert found.kinds["x"].weight == 1
    assert found.families == ("f",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"basis": "magic"}, "basis called 'magic'"),
        ({"consequence": "nothing"}, "consequence called 'nothing'"),
        ({"levels": {}}, "no severity level"),
        ({"detectors": []}, "classes of errors.py"),
        ({"detectors": ["a feeling"]}, "classes of errors.py"),
        ({"basis": "statistical", "detectors": []}, "names no detector"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        detection.load(written(tmp_path, ENTRY | change))


def test_a_missing_field_and_a_double_id_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="levels"):
        detection.load(written(tmp_path, {k: v for k, v in ENTRY.items() if k != "levels"}))
    with pytest.raises(ConfigError, match="'x' twice"):
        detection.load(written(tmp_path, ENTRY, ENTRY))


def test_a_second_injector_of_a_kind_is_refused():
    with pytest.raises(ConfigError, match="two injectors"):
        detection.injects("replayed_login", access.AccessBench)(lambda *_: None)


def test_a_change_of_the_catalogue_reruns_the_notebooks_that_read_it(monkeypatch):
    from bfl_stpc.study import sources

    seen = []
    monkeypatch.setattr(sources, "hash_files", lambda files: seen.extend(files) or "")
    sources.source_hash("from bfl_stpc import detection")
    assert CATALOGUE in seen


def test_the_hardest_levels_are_the_last_ones_of_the_same_kinds(catalogue):
    hardest = catalogue.hardest()
    assert list(hardest.kinds) == list(catalogue.kinds)
    assert all(kind.levels == catalogue.kinds[name].levels[-1:] for name, kind in hardest.kinds.items())
    assert hardest.weights == catalogue.weights
