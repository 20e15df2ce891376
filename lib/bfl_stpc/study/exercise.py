"""Exercises: an answer is right, or the reader gets a hint that fits the slip."""

from __future__ import annotations

import math
from collections.abc import Iterable

Answer = float | str | bool


def check(
    answer: Answer | None,
    right: Answer,
    hints: Iterable[tuple[Answer, str]] = (),
    *,
    otherwise: str = "Not yet.",
    tolerance: float = 1e-6,
) -> str:
    """Return `Right.`, or a hint.

    Args:
        answer: the reader's answer; None while there is none.
        right: the right answer.
        hints: pairs of a wrong answer and the slip behind it.
        otherwise: the hint for any other wrong answer.
        tolerance: largest difference between numbers that counts as equal.

    >>> check(0.5, 2.0, [(0.5, "You divided the other way.")])
    'You divided the other way.'
    """
    if answer is None:
        return "No answer yet: put yours in place of None."
    if _equal(answer, right, tolerance):
        return "Right."
    return next((slip for wrong, slip in hints if _equal(answer, wrong, tolerance)), otherwise)


def _equal(one: Answer, other: Answer, tolerance: float) -> bool:
    if isinstance(one, str | bool) or isinstance(other, str | bool):
        return one == other
    return math.isclose(float(one), float(other), rel_tol=0.0, abs_tol=tolerance)
