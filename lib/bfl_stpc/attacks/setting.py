"""What attackers of a study share: the model, the inputs, and patients of their own that are like the victims."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import ehr, federated
from bfl_stpc.ehr.codes import QUANTITIES, REFERENCE

DECIMALS = {quantity.name: quantity.decimals for quantity in QUANTITIES}  # all other inputs are whole numbers


@dataclass(frozen=True)
class Setting:
    """Victims, the attacker's own patients, and the model that both know.

    Attributes:
        spec: the model, with one hidden layer.
        inputs: how recorded values become the model's inputs; scaled by the attacker's patients, as notebook 03 scales
            by public ones.
        names: names of the recorded values.
        recorded: float32 (n, d), the victims' records, NaN where missing.
        table: float32 (n, width), the victims' inputs.
        y: float32 (n,), the victims' outcomes.
        public, public_y: (m, width) and (m,), the same of the attacker's patients.
        kept: what attacks under one seed share, by seed and noise: they compute it once.
    """

    spec: federated.Mlp
    inputs: federated.Inputs
    names: tuple[str, ...]
    recorded: NDArray[np.float32] = field(repr=False)
    table: NDArray[np.float32] = field(repr=False)
    y: NDArray[np.float32] = field(repr=False)
    public: NDArray[np.float32] = field(repr=False)
    public_y: NDArray[np.float32] = field(repr=False)
    kept: dict[tuple[int, bool], Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def make(cls, victims: ehr.Features, attackers: ehr.Features, *, hidden: int = 32) -> Setting:
        """Return the setting of the patients of `victims` and the attacker's own, `attackers`, with a fresh model."""
        measured = np.array([j for j, name in enumerate(victims.names) if name == "age" or name in REFERENCE])
        inputs = federated.shared_inputs(
            attackers.X,
            attackers.hospital,
            np.arange(len(attackers.y)),
            skewed=attackers.skewed,
            measured=measured,
            thresholds=(),
            squares=False,
        )
        # Age is never missing: its flag would be a constant.
        inputs = replace(inputs, marked=measured[np.isnan(attackers.X[:, measured]).any(axis=0)])
        return cls(
            federated.Mlp((inputs.width, hidden, 1)),
            inputs,
            victims.names,
            victims.X,
            inputs.transform(victims.X),
            victims.y.astype(np.float32),
            inputs.transform(attackers.X),
            attackers.y.astype(np.float32),
        )

    @property
    def decimals(self) -> NDArray[np.int64]:
        """Digits after the point with which each value is recorded, (d,)."""
        return np.array([DECIMALS.get(name, 0) for name in self.names])

    def bounds(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the lowest and the highest value of each input among the attacker's patients, (width,)."""
        return self.public.min(axis=0), self.public.max(axis=0)

    def records(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return what was recorded, float64 (n, d), by inputs x (n, width): rounded as instruments do, NaN if missing.

        The inverse of `inputs.transform`, but for values beyond eight deviations, which that cuts.
        """
        d = len(self.names)
        with np.errstate(over="ignore", invalid="ignore"):
            values = x[:, :d] * self.inputs.scaler.deviation + self.inputs.scaler.mean
            values = np.where(self.inputs.skewed, np.exp(np.minimum(values, 100)), values)
        scale = 10.0**self.decimals
        values = np.rint(values * scale) / scale + 0.0  # no −0
        values[:, self.inputs.marked] = np.where(x[:, d:] > 0.5, np.nan, values[:, self.inputs.marked])
        return values

    def same(self, one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return whether records (…, d) are equal in every value, and in what is missing."""
        near = np.abs(one - other) < 0.3 * 10.0**-self.decimals
        return np.asarray((near | (np.isnan(one) & np.isnan(other))).all(axis=-1))
