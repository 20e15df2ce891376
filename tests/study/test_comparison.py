"""Results beside a reference: every bit where nothing differs, a tolerance from the seeds where something does."""

import copy
import io

import pytest
from rich.console import Console
from study.recorded import NAME, SIDECAR, recorded  # noqa: F401 - a fixture

from bfl_stpc.errors import ReferenceDiffers, StoreError
from bfl_stpc.study import comparison, reference
from bfl_stpc.study.store import to_json


def entry(value, interval=None, timing=False):
    return {"value": value, "interval": interval, "unit": "%", "timing": timing}


RESULTS = {
    "accuracy": entry(97.6, [97.4, 97.9]),
    "auc": entry(0.97),
    "parts": entry({"a": 1, "b": [2, True]}),
    "weights": entry("ab" * 32),
    "word": entry("yes"),
    "ms": entry(4.0, timing=True),
    "table": entry(reference.short([{"x": float(i)} for i in range(40)])),
}
FIGURES = {"fig02_roc": entry("12" * 32), "fig02_ms": entry("34" * 32, timing=True)}
KEPT = {
    "processor": {"instructions": ["avx2"]},
    "notebooks": {"02_x": {"key": "k", "source": "s", "lock": "l", "results": RESULTS, "figures": FIGURES}},
}


@pytest.fixture
def verify(tmp_path, monkeypatch):
    """Verify a copy of the reference after a change; return what was printed."""

    def run(change):
        now = copy.deepcopy(KEPT)
        change(now, now["notebooks"]["02_x"]["results"])
        monkeypatch.setattr(reference, "reference_file", lambda profile: tmp_path / "paper.json")
        monkeypatch.setattr(reference, "current", lambda profile: now)
        (tmp_path / "paper.json").write_bytes(to_json(KEPT))
        console = Console(file=io.StringIO(), width=200)
        comparison.verify("paper", console)
        return console.file.getvalue()

    return run


def set_value(name, value):
    return lambda now, results: results[name].update(value=value)


def elsewhere(name, value):
    """The same change on another processor."""

    def change(now, results):
        now["processor"] = {"instructions": ["avx512f"]}
        results[name]["value"] = value

    return change


def test_equal_results_pass_and_times_are_not_judged(verify):
    said = verify(set_value("ms", 9.0))
    assert "1 time, not judged" in said
    assert "bit for bit" in said


def test_on_the_same_processor_and_code_the_last_bit_counts(verify):
    with pytest.raises(
        ReferenceDiffers, match=r"02_x/accuracy: reference 97.6, now 97.6.*does not repeat.*cause: none"
    ):
        verify(set_value("accuracy", 97.60000000000001))
    with pytest.raises(ReferenceDiffers, match="02_x/weights"):
        verify(set_value("weights", "cd" * 32))


def test_on_another_processor_the_spread_over_seeds_is_allowed(verify):
    assert "within tolerance" in verify(elsewhere("accuracy", 97.8))
    with pytest.raises(ReferenceDiffers, match=r"accuracy: .* now 97.9, tolerance 0.25: beyond.*another processor"):
        verify(elsewhere("accuracy", 97.9))
    assert "digest differs" in verify(elsewhere("weights", "cd" * 32))
    with pytest.raises(ReferenceDiffers, match="02_x/auc"):
        verify(elsewhere("auc", 0.93))
    with pytest.raises(ReferenceDiffers, match="02_x/word: reference yes, now no"):
        verify(elsewhere("word", "no"))
    with pytest.raises(ReferenceDiffers, match="02_x/parts/b/1"):
        verify(elsewhere("parts", {"a": 1, "b": [2, 1]}))  # True and 1 are not the same


def test_a_table_is_held_by_its_digest_number_and_size(verify):
    assert set(RESULTS["table"]["value"]) == {"sha256", "scalars", "rms"}
    other = reference.short([{"x": i + 0.001} for i in range(40)])
    assert "digest differs" in verify(elsewhere("table", other))
    with pytest.raises(ReferenceDiffers, match="02_x/table/rms"):
        verify(elsewhere("table", reference.short([{"x": 2.0 * i} for i in range(40)])))
    with pytest.raises(ReferenceDiffers, match="02_x/table/scalars"):
        verify(elsewhere("table", reference.short([{"x": float(i)} for i in range(41)])))


def test_what_a_figure_plots_is_held_like_a_result(verify):
    def plots(figure, *, processor=None):
        def change(now, _):
            now["notebooks"]["02_x"]["figures"][figure]["value"] = "56" * 32
            now["processor"] = processor or now["processor"]

        return change

    assert "what their 2 figures plot: 1 bit for bit, 1 time, not judged" in verify(plots("fig02_ms"))
    with pytest.raises(ReferenceDiffers, match=r"02_x/fig02_roc: .*does not repeat; likely cause: none"):
        verify(plots("fig02_roc"))
    said = verify(plots("fig02_roc", processor={"instructions": ["avx512f"]}))
    assert "what their 2 figures plot: 1 digest differs, 1 time" in said
    with pytest.raises(ReferenceDiffers, match=r"02_x/fig02_roc: .*not recorded now"):
        verify(lambda now, _: now["notebooks"]["02_x"]["figures"].pop("fig02_roc"))


def test_a_reference_from_before_figures_were_in_it_judges_none(verify, monkeypatch):
    monkeypatch.setitem(
        KEPT["notebooks"], "02_x", {k: v for k, v in KEPT["notebooks"]["02_x"].items() if k != "figures"}
    )

    def draw(now, _):
        now["notebooks"]["02_x"]["figures"] = copy.deepcopy(FIGURES)

    assert "what their 2 figures plot: 1 new, 1 time, not judged" in verify(draw)


def test_the_reference_has_the_digest_of_what_a_figure_plots(recorded):  # noqa: F811 - the fixture
    figures = reference.current("paper")["notebooks"][NAME]["figures"]
    assert figures == {"fig02_ratio": {"value": SIDECAR["data_sha256"], "interval": None, "unit": "1", "timing": False}}
    sidecar = recorded / "build/paper/results" / NAME / "figures/fig02_ratio.json"
    sidecar.unlink()
    with pytest.raises(StoreError, match="make reproduce PROFILE=paper"):
        reference.current("paper")


@pytest.mark.parametrize(("key", "says"), [("lock", "other package versions"), ("source", "other source files")])
def test_a_differing_hash_is_named_as_the_likely_cause(verify, key, says):
    def change(now, results):
        now["notebooks"]["02_x"] |= {key: "t", "key": "other"}
        results["accuracy"]["value"] = 90.0

    with pytest.raises(ReferenceDiffers, match=f"likely cause: {says}"):
        verify(change)


def test_a_result_that_has_gone_fails_and_a_new_one_is_told(verify):
    with pytest.raises(ReferenceDiffers, match=r"02_x/auc: reference 0.97, now –.*not recorded now"):
        verify(lambda now, results: results.pop("auc"))
    assert "1 new" in verify(lambda now, results: results.update(more=entry(1)))


def test_a_missing_reference_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(reference, "reference_file", lambda profile: tmp_path / "none.json")
    console = Console(file=io.StringIO(), width=200)
    comparison.verify("smoke", console)
    assert "there is no committed reference for profile smoke" in console.file.getvalue()


def test_nan_is_nan_and_no_number_is_within_tolerance_of_it():
    nan = float("nan")
    assert comparison.judge(nan, nan, 0.1, must_repeat=True) == comparison.EQUAL
    assert comparison.judge(1.0, nan, 0.1, must_repeat=False) == comparison.BEYOND


def test_a_notebook_whose_data_could_not_be_had_is_told_and_not_judged(verify):
    def without_data(now, results):
        now["notebooks"]["02_x"]["key"] = None
        del results["auc"]
        results["accuracy"]["value"] = 50.0

    said = verify(without_data)
    assert "2 data absent, not judged" in said
    assert "02_x had other data here than for the reference" in said


def test_where_the_reference_lacked_the_same_data_all_is_judged(verify, monkeypatch):
    monkeypatch.setitem(KEPT["notebooks"]["02_x"], "key", None)
    with pytest.raises(ReferenceDiffers, match=r"auc: reference 0\.97, now –"):
        verify(lambda now, results: results.pop("auc"))
