"""The global model between rounds: its weights, and what the server optimiser remembers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import federated
from bfl_stpc.system.codec import encode, travels

for _optimiser in (federated.Averaging, federated.Momentum, federated.FedAdam, federated.FedYogi):
    travels(_optimiser)


@travels
@dataclass(frozen=True)
class State:
    """The global model after `round` rounds.

    Attributes:
        round: number of the round that it came from; 0 at the start.
        weights: flat float32 (d,).
        server: the server optimiser with its state; plain averaging by default.
    """

    round: int
    weights: NDArray[np.float32]
    server: Any = field(default=federated.Averaging(), repr=False)

    @property
    def digest(self) -> bytes:
        """What the ledger records (32 bytes): SHA-256 of the weights, and of the optimiser where it has a state."""
        weights = federated.digest(self.weights)
        if isinstance(self.server, federated.Averaging):
            return weights
        return hashlib.sha256(weights + encode(self.server)).digest()

    def after(self, mean: NDArray[np.float64], round: int) -> State:
        """Return the state that `mean` float64 (d,), the mean update of round number `round`, leads to."""
        weights, server = self.server.apply(self.weights, mean)
        return State(round, weights, server)
