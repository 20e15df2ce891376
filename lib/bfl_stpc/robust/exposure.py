"""What opened group sums reveal of one hospital: in one round, and over rounds that regroup."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.robust.groups import Groups, group_means
from bfl_stpc.robust.tracing import Decoder


def in_one_round(updates: NDArray[np.float64], groups: Groups) -> float:
    """Return how much of a hospital's own shows in its group's mean: the mean cosine over hospitals.

    Compared are the deviations of both from the mean of all, which is public: without that, what all hospitals have
    in common would look like a leak. Unrelated deviations of equal length give √((K − size) ÷ (size·(K − 1))), about
    1/√size; 1 means in the clear.
    Updates are float64 (K, p).
    """
    own = updates - updates.mean(0)
    shown = np.zeros_like(own)
    for members, mean in zip(groups, group_means(own, groups)):
        shown[members] = mean
    return float(np.mean(_cosines(own, shown)))


def over_rounds(updates: NDArray[np.float64], groups: Sequence[Groups], *, of_another: bool = False) -> list[float]:
    """Return after each round how well the decoder knows what lasts of a hospital: the mean cosine over hospitals.

    What lasts is the mean over all rounds of its deviations, each round in units of the round's mean deviation.

    Args:
        updates: float64 (R, K, p).
        groups: of each round.
        of_another: compare with what lasts of the next hospital instead: the control, near 0.
    """
    own = updates - updates.mean(1, keepdims=True)
    own = own / np.linalg.norm(own, axis=2).mean(1)[:, None, None]
    lasting, decoder, found = own.mean(0), Decoder(own.shape[1], own.shape[2]), []
    for dealt, each in zip(groups, own):
        decoder.add(dealt, group_means(each, dealt))
        found.append(float(np.mean(_cosines(np.roll(lasting, of_another, axis=0), decoder.profiles()))))
    return found


def _cosines(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(1) / np.maximum(norms, 1e-300)
