"""A slider shows computed results, works without scripts, and refuses what does not fit together."""

import re

import pytest

from bfl_stpc.errors import ConfigError
from bfl_stpc.figures.slider import slider

LINES = {"ours": [1.0, None, 3.0], "theirs": [2.0, 2.0, float("nan")]}


def show(**change):
    given = {"positions": ["a", "b <", "c"], "lines": LINES, "says": ["at a", 'at "b"', "at c"]} | change
    return slider("slider_x", "letter", axis="points, %", **given).data


def test_everything_is_there_without_scripts():
    text = re.sub(r"<script>.*</script>", "", show(), flags=re.DOTALL)
    assert "<details open>" in text
    assert text.count("<tr data-says=") == 3
    assert '<div class="slider-control" hidden>' in text  # a control that could do nothing is not shown
    assert text.count("<td>–</td>") == 2
    assert "b &lt;" in text


def test_the_control_has_a_label_a_live_output_and_asks_no_host():
    text = show(start=1)
    assert '<label for="slider_x-input">letter</label>' in text
    assert 'type="range" min="0" max="2" step="1" value="1"' in text
    assert 'aria-live="polite"' in text
    assert "at &quot;b&quot;" in text
    assert "http" not in text


def test_a_line_has_a_point_and_a_marker_wherever_it_has_a_value():
    text = show()
    assert len(re.findall(r'<circle cx="', text)) == 4
    assert len(re.findall(r'<circle data-at="', text)) == 4
    assert show() == text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"says": ["one"]}, "'says' has 1 entries for 3"),
        ({"lines": {"ours": [1.0]}}, "'ours' has 1 entries for 3"),
        ({"positions": ["a"], "says": ["x"], "lines": {"ours": [1.0]}}, "two or more"),
        ({"start": 3}, "start 3"),
        ({"lines": {"ours": [None] * 3}}, "no value is finite"),
    ],
)
def test_what_does_not_fit_together_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        show(**change)
