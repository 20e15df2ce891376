"""Ray carries the parcels: sealed bytes, to every role at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from bfl_stpc.errors import PeerLost


@dataclass(frozen=True)
class RayTransport:
    """Carries parcels to roles on a cluster, to all at once.

    Attributes:
        namespace: where Ray finds the roles by name.
        deadline: seconds after which a role that has not answered is lost.
    """

    namespace: str
    deadline: float

    def post(self, parcels: Mapping[str, bytes]) -> dict[str, bytes | PeerLost]:
        """Return what each role answers, or how it was lost: its process died, or its deadline passed."""
        answers: dict[str, bytes | PeerLost] = {}
        asked: dict[str, Any] = {}
        for name, parcel in parcels.items():
            try:
                asked[name] = ray.get_actor(name, namespace=self.namespace).handle.remote(parcel)
            except ValueError:
                answers[name] = PeerLost(f"{name} is not there")
        if asked:  # all have the same deadline: it does not begin anew with each
            ray.wait(list(asked.values()), num_returns=len(asked), timeout=self.deadline)
        for name, reference in asked.items():
            try:
                answers[name] = ray.get(reference, timeout=0)
            except RayTaskError as error:
                answers[name] = PeerLost(f"{name} failed: {error.cause!r}")
            except RayError as error:
                answers[name] = PeerLost(f"{name} did not answer: {type(error).__name__}")
        return {name: answers[name] for name in parcels}
