"""Trials on random records: whole rounds of several shapes, and each protection by itself beside plain learning."""

from __future__ import annotations

import hashlib
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import federated, ledger, privacy, stpc
from bfl_stpc.seeds import derive_seed, generator
from bfl_stpc.stpc.hazmat import bfv, fixed_point, masks
from bfl_stpc.system.costs import Shape, by_phase
from bfl_stpc.system.embedded import EmbeddedConsortium, found
from bfl_stpc.system.meter import Step
from bfl_stpc.system.round import run_round
from bfl_stpc.system.state import State
from bfl_stpc.ticket import Ticket

CLIP, MAX_RECORDS = 4.0, 10_000


@dataclass(frozen=True)
class Timed:
    """One round as it was measured.

    Attributes:
        steps: what each role did.
        wall_ms: from its begin to its end: the steps, and the messages and stores between them.
    """

    steps: tuple[Step, ...]
    wall_ms: float


@dataclass(frozen=True)
class Taken:
    """One run of a rung: milliseconds of wall time, and of the cores by this process and TFF's worker."""

    wall_ms: float
    cpu_ms: float


def ratios(taken: Mapping[str, Sequence[Taken]], what: str) -> dict[str, list[float]]:
    """Return, for each rung, `wall_ms` or `cpu_ms` of each run as a ratio to the plain round of the same turn."""
    plain = [getattr(run, what) for run in taken["plain"]]
    return {name: [getattr(run, what) / base for run, base in zip(runs, plain)] for name, runs in taken.items()}


def cpu_seconds() -> float:
    """Return user and system seconds so far of this process and of its living children."""
    own = os.times()
    total, tick = own.user + own.system, os.sysconf("SC_CLK_TCK")
    for task in Path("/proc/self/task").iterdir():
        children = []
        with suppress(FileNotFoundError):  # the thread has just ended
            children = (task / "children").read_text().split()
        for child in children:
            with suppress(FileNotFoundError):  # or the process
                fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
                total += (int(fields[11]) + int(fields[12])) / tick
    return total


def random_records(hospitals: int, rows: int, features: int, seed: int = 1) -> dict[str, federated.ClientData]:
    """Return records with a signal, `rows` for each hospital."""
    slope = generator("trial slope", seed).normal(size=features)
    made = {}
    for k in range(hospitals):
        X = generator("trial records", k, seed).normal(size=(rows, features)).astype(np.float32)
        made[f"hospital-{k:03d}"] = federated.ClientData(X, (X @ slope > 0).astype(np.int8))
    return made


def rounds(consortium: EmbeddedConsortium, state: State, count: int) -> tuple[list[Timed], State]:
    """Run `count` rounds; return what each took, and the state after them."""
    timed = []
    for _ in range(count):
        first, begun = len(consortium.meter.steps), time.perf_counter()
        state = run_round(state, consortium)
        wall = 1e3 * (time.perf_counter() - begun)
        timed.append(Timed(tuple(consortium.meter.steps[first:]), wall))
    return timed, state


def of_shape(hospitals: int, hidden: int, *, rows: int = 50, features: int = 30, count: int = 3) -> list[Timed]:
    """Return `count` rounds of so many hospitals with one hidden layer of `hidden`, after one to warm up."""
    spec = federated.Mlp((features, hidden, 1))
    config = federated.TrainConfig(spec, batch=32, learning_rate=1e-3)
    records = random_records(hospitals, rows, features)
    consortium = found(records, config, experiment="scaling", seed=1, clip=CLIP, max_records=MAX_RECORDS)
    state = State(0, federated.init_weights(spec, 1))
    return rounds(consortium, rounds(consortium, state, 1)[1], count)[0]


def measured(shape: Shape, timed: Sequence[Timed]) -> tuple[Shape, dict[str, float]]:
    """Return what `costs.fit` takes: a shape with the median milliseconds of each phase."""
    phases = [by_phase(round.steps) for round in timed]
    return shape, {phase: statistics.median(ms[phase] for ms in phases) for phase in phases[0]}


class Ladder:
    """Plain federated learning, and the same with one protection each, and with all, on the same records."""

    def __init__(
        self,
        records: Mapping[str, federated.ClientData],
        plain: federated.TrainConfig,
        private: privacy.DpConfig,
        *,
        promise: tuple[float, float],
    ) -> None:
        """Prepare every rung; keys and contracts are made here and timed nowhere."""
        self.names, self._data = list(records), list(records.values())
        self._plain, self._private = plain, private
        self._weights = federated.init_weights(plain.spec, 1)
        self._seeds = [derive_seed("ladder", name, 1) for name in self.names]
        options = {"seed": 1, "clip": CLIP, "max_records": MAX_RECORDS}
        self._full = found(records, private, experiment="ladder", promise=promise, **options)  # type: ignore[arg-type]
        self._state = State(0, self._weights)
        self._params, self._secret = self._full.params, bfv.SecretKey(self._full.params)
        self._identities = {n: ledger.Identity.derive(n, 1) for n in self.names}
        addresses = {name: identity.address for name, identity in self._identities.items()}
        admin, self._threshold = ledger.Identity.derive("trial", 1), len(self.names) // 2 + 1
        chain = ledger.Chain.in_memory()
        self._book = ledger.Ledger.deploy(chain, admin=admin, hospitals=addresses, threshold=self._threshold)
        self._board, self._number = stpc.Bulletin(), 0
        self._parties = [stpc.Party(name, self._params, attest=self._board.read) for name in self.names]
        self._cards = {party.name: party.identity for party in self._parties}
        self.rungs: dict[str, Callable[[], object]] = {
            "plain": lambda: self._train(plain),
            "+ differential privacy": lambda: self._train(private),
            "+ encryption": lambda: self._encrypted(self._train(plain)),
            "+ masks": lambda: self._masked(self._train(plain)),
            "+ ledger": lambda: self._recorded(self._train(plain)),
            "all": self._all,
        }

    def run(self, repeats: int) -> dict[str, list[Taken]]:
        """Return what each rung takes, `repeats` times; all rungs take turns, so that load meets them alike."""
        for rung in self.rungs.values():
            rung()
        taken: dict[str, list[Taken]] = {name: [] for name in self.rungs}
        for _ in range(repeats):
            for name, rung in self.rungs.items():
                begun, used = time.perf_counter(), cpu_seconds()
                rung()
                wall, cpu = time.perf_counter() - begun, cpu_seconds() - used
                taken[name].append(Taken(1e3 * wall, 1e3 * cpu))
        return taken

    @property
    def steps(self) -> list[Step]:
        """The steps of the fully protected rounds so far."""
        return self._full.meter.steps

    def _train(self, config: federated.LocalTraining) -> NDArray[np.float64]:
        """Return the updates (K, d) of all hospitals, trained in one call to TFF, clipped, and their mean applied."""
        updates = np.array(federated.local_updates(self._weights, self._data, config, self._seeds), dtype=np.float64)
        norms = np.maximum(np.linalg.norm(updates, axis=1), 1e-12)
        updates *= np.minimum(1.0, CLIP / norms)[:, None]
        federated.apply_update(self._weights, updates.mean(axis=0))
        return updates

    def _encoded(self, updates: NDArray[np.float64]) -> list[NDArray[np.uint64]]:
        counts = [len(d.y) for d in self._data]
        return [np.concatenate(list(fixed_point.encode(u, n, self._params))) for u, n in zip(updates, counts)]

    def _encrypted(self, updates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Encrypt every update, add the ciphertexts, decrypt the sum."""
        key = self._secret.public
        uploads = [list(bfv.encrypt([slots], key, self._params)) for slots in self._encoded(updates)]
        total = self._secret.decrypt(bfv.add(zip(*uploads), key, self._params), self._params.slots(updates.shape[1]))
        return fixed_point.decode(total, updates.shape[1], len(updates), self._params)[0]

    def _masked(self, updates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Agree on keys, share them, mask every update by all pairs and by itself, add, take the self masks off."""
        self._number += 1
        names, t = tuple(self.names), self._params.modulus
        model = hashlib.sha256(self._weights.tobytes()).digest()
        ticket = Ticket(self._number, model, 1337, bytes(20), names, self._threshold)
        stpc.set_up(self._parties, ticket, self._cards)
        context = ticket.context()
        pair = {(i, j): masks.derive(context, context, "trial", i, j) for i in names for j in names if i < j}
        own = {name: masks.derive(context, context, "trial", name) for name in names}
        total = np.zeros(self._params.slots(updates.shape[1]), dtype=np.uint64)
        for name, slots in zip(names, self._encoded(updates)):
            plus = [own[name], *(pair[name, other] for other in names if name < other)]
            minus = [pair[other, name] for other in names if other < name]
            total = (total + masks.apply_masks(slots, plus, minus, t)) % np.uint64(t)
        clear = masks.apply_masks(total, [], list(own.values()), t)
        return fixed_point.decode(clear, updates.shape[1], len(updates), self._params)[0]

    def _recorded(self, updates: NDArray[np.float64]) -> None:
        """Log in, commit to each update's hash, reveal, publish the sum's, and finalise by signatures."""
        book, digests = self._book, [hashlib.sha256(update.tobytes()).digest() for update in updates]
        model, number = hashlib.sha256(self._weights.tobytes()).digest(), book.next_round()
        members = list(zip(self._identities.values(), digests))
        with book.chain.together():
            for identity, _ in members:
                book.login(identity, round=number, model=model)
        ticket = book.open_round(number, model=model)
        with book.chain.together():
            for identity, digest in members:
                book.commit(identity, ticket, digest)
        with book.chain.together():
            for identity, digest in members:
                book.reveal(identity, ticket, digest)
        assert book.revealed(ticket) == dict(zip(self.names, digests))
        total = hashlib.sha256(updates.sum(axis=0).tobytes()).digest()
        book.publish_aggregate(ticket, total)
        book.publish_opening(ticket, total)
        result = ledger.Result(total, model, len(members))
        book.close_round(ticket, result, [book.approve(identity, ticket, result) for identity, _ in members])

    def _all(self) -> None:
        self._state = run_round(self._state, self._full)
