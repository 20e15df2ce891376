"""Colours and sizes shared by all figures; the rest of the style is in paper.mplstyle."""

from pathlib import Path

STYLE = Path(__file__).with_name("paper.mplstyle")
FORMATS = ("pdf", "svg", "png")  # every figure is drawn in each

COLUMN = 3.5  # width in inches of one column of a two-column paper
FULL = 7.2  # width in inches of the page

PLATE = {"fc": "white", "ec": "none", "pad": 0.8}  # behind a label that stands over a line

# Okabe and Ito (2008), "Color universal design": distinct under the common colour-vision deficiencies.
COLORS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "red": "#D55E00",
    "purple": "#CC79A7",
    "brown": "#8C510A",
    "grey": "#7F7F7F",
    "black": "#000000",
    "sky": "#56B4E9",
}
