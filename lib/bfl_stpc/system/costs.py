"""The model on paper: what a round costs each role, as a function of hospitals K, parameters d and the threshold.

Computation is a sum of terms, each a count that follows from the protocol (transactions, ciphertexts, masks expanded,
shares combined) times a constant of the machine; `fit` takes the constants from rounds measured in the same run.
Communication needs no constant of a machine: `bytes_sent` counts what the messages hold.

Assumes: nobody drops out, every hospital has the same number of records, one round at a time, one core a role.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bfl_stpc.errors import ConfigError
from bfl_stpc.lazy import Lazy
from bfl_stpc.stpc import Parameters
from bfl_stpc.stpc.verify import SOUNDNESS_BITS
from bfl_stpc.system.meter import Step

if TYPE_CHECKING:
    from scipy import optimize
else:
    optimize = Lazy("scipy.optimize")

HOSPITAL, AGGREGATOR, AUTHORITY, LEDGER = "hospital", "aggregator", "key authority", "ledger"
PHASES = (
    "authenticate", "open", "train", "share keys", "protect", "commit", "aggregate", "open the sum", "verify", "record",
)  # fmt: skip
WORD = 8  # bytes of a slot in memory and on the wire
SHARE, BOX, DIGEST, SIGNATURE = 33, 94, 32, 65  # bytes of a Shamir share, of two sealed, of a hash, of an approval
FRAME = 25 + 16  # bytes of an envelope: head and tag
ROUTE = 22  # bytes of CBOR around a request: round, kind, list
NAMED = 12  # bytes of a hospital's name with its length, where a list holds one


@dataclass(frozen=True)
class Shape:
    """How large a round is.

    Attributes:
        hospitals: K.
        parameters: d.
        records: of each hospital.
        threshold: T, more than half of K.
        params: fixed point, packing and encryption.
    """

    hospitals: int
    parameters: int
    records: int = 1000
    threshold: int = 0
    params: Parameters = field(default=None, repr=False)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.hospitals < 2 or self.parameters < 1 or self.records < 1:
            raise ConfigError(
                f"{self.hospitals} hospitals, {self.parameters} parameters, {self.records} records: a round needs "
                "two hospitals, one parameter, one record"
            )
        if not self.threshold:
            object.__setattr__(self, "threshold", self.hospitals // 2 + 1)
        if self.params is None:
            object.__setattr__(self, "params", Parameters.widest(self.hospitals, max_records=10_000))

    @property
    def slots(self) -> int:
        """n: slots of a protected update."""
        return self.params.slots(self.parameters)

    @property
    def ciphertexts(self) -> int:
        """b: ciphertexts of a protected update."""
        return -(-self.slots // self.params.ring_degree)

    @property
    def vectors(self) -> int:
        """Random vectors of the verification."""
        return math.ceil(SOUNDNESS_BITS / math.log2(self.params.modulus))

    @property
    def upload(self) -> int:
        """Bytes of one protected update: two polynomials a ciphertext, a word for each coefficient and prime."""
        primes = len(self.params.coeff_bits) - 1
        return 176 + self.ciphertexts * (2 * WORD * self.params.ring_degree * primes + 111)


@dataclass(frozen=True)
class Term:
    """One count of the model: how often a role does something in a phase of a round, all of its kind together."""

    phase: str
    role: str
    what: str
    count: Callable[[Shape], float] = field(repr=False)


K = lambda s: float(s.hospitals)  # noqa: E731
PAIRS = lambda s: float(s.hospitals * (s.hospitals - 1))  # noqa: E731
TERMS = (
    Term("authenticate", LEDGER, "logins executed", K),
    Term("open", LEDGER, "round opened", lambda s: 1.0),
    Term("open", LEDGER, "members snapshot", K),
    Term("train", HOSPITAL, "training started", K),
    Term("train", HOSPITAL, "multiplications of training", lambda s: K(s) * s.records * s.parameters),
    Term("share keys", HOSPITAL, "hospitals set up", K),
    Term("share keys", HOSPITAL, "pairs: signature, agreement, boxes", PAIRS),
    Term("protect", HOSPITAL, "ciphertexts encrypted", lambda s: K(s) * s.ciphertexts),
    Term("protect", HOSPITAL, "pairs: agreement", PAIRS),
    Term("protect", HOSPITAL, "mask words", lambda s: K(s) ** 2 * s.slots),
    Term("commit", LEDGER, "commits and reveals executed", K),
    Term("commit", HOSPITAL, "bytes of uploads hashed", lambda s: K(s) * s.upload),
    Term("aggregate", LEDGER, "sum published", lambda s: 1.0),
    Term("aggregate", LEDGER, "digests read", K),
    Term("aggregate", AGGREGATOR, "ciphertexts added", lambda s: K(s) * s.ciphertexts),
    Term("open the sum", LEDGER, "opening published", lambda s: 1.0),
    Term("open the sum", AUTHORITY, "ciphertexts decrypted", lambda s: float(s.ciphertexts)),
    Term("open the sum", HOSPITAL, "requests answered", K),
    Term("open the sum", AGGREGATOR, "shares combined", lambda s: K(s) ** 2),
    Term("open the sum", AGGREGATOR, "mask words", lambda s: K(s) * s.slots),
    Term("verify", LEDGER, "tags executed", K),
    Term("verify", HOSPITAL, "words of inner products", lambda s: K(s) * s.vectors * s.slots),
    Term("record", LEDGER, "results signed and checked", K),
    Term("record", HOSPITAL, "shares combined, again by each", lambda s: K(s) ** 3),
    Term("record", HOSPITAL, "mask words, again by each", lambda s: K(s) ** 2 * s.slots),
)


@dataclass(frozen=True)
class Model:
    """The terms with their constants, in milliseconds a count.

    Attributes:
        constants: one a term, in the order of `TERMS`.
        largest_error: largest relative error of a round's total among those that it was fitted to.
    """

    constants: tuple[float, ...]
    largest_error: float

    def phases(self, shape: Shape) -> dict[str, float]:
        """Return milliseconds by phase, all roles together: a round on one core."""
        return {
            phase: sum(c * t.count(shape) for c, t in zip(self.constants, TERMS) if t.phase == phase)
            for phase in PHASES
        }

    def total(self, shape: Shape) -> float:
        """Return milliseconds of a round on one core."""
        return sum(self.phases(shape).values())

    def roles(self, shape: Shape) -> dict[str, float]:
        """Return milliseconds of one hospital, the aggregator, the key authority and the ledger, training included."""
        spent = dict.fromkeys((HOSPITAL, AGGREGATOR, AUTHORITY, LEDGER), 0.0)
        for constant, term in zip(self.constants, TERMS):
            spent[term.role] += constant * term.count(shape)
        spent[HOSPITAL] /= shape.hospitals
        return spent

    def apart(self, shape: Shape) -> float:
        """Return milliseconds of a round with each role on a machine of its own, the network left out."""
        return sum(self.roles(shape).values())


def fit(rounds: Sequence[tuple[Shape, Mapping[str, float]]]) -> Model:
    """Return the model whose constants, none negative, come nearest to measured rounds in relative terms.

    Args:
        rounds: of each round its shape, and milliseconds by phase; of several shapes, or terms cannot be told apart.

    Raises:
        ConfigError: no round was measured, or a phase has no time in one.
    """
    if not rounds:
        raise ConfigError("nothing was measured: the model's constants need rounds of several shapes")
    constants = np.zeros(len(TERMS))
    for phase in PHASES:
        chosen = [i for i, term in enumerate(TERMS) if term.phase == phase]
        measured = np.array([ms.get(phase, 0.0) for _, ms in rounds])
        if (measured <= 0).any():
            raise ConfigError(f"phase {phase!r} took no time in a round: it was not measured")
        counts = np.array([[TERMS[i].count(shape) for i in chosen] for shape, _ in rounds])
        scale = counts.max(axis=0)  # nnls wants columns of one size
        constants[chosen] = optimize.nnls(counts / scale / measured[:, None], np.ones(len(rounds)))[0] / scale
    model = Model(tuple(float(c) for c in constants), 0.0)
    errors = [abs(model.total(shape) / sum(ms[p] for p in PHASES) - 1) for shape, ms in rounds]
    return Model(model.constants, float(max(errors)))


def by_phase(steps: Sequence[Step]) -> dict[str, float]:
    """Return milliseconds by phase of the steps of one round."""
    found = dict.fromkeys(PHASES, 0.0)
    for step in steps:
        found[step.phase] += step.ms
    return found


def bytes_sent(shape: Shape) -> dict[str, dict[str, float]]:
    """Return the bytes that one hospital, the aggregator and the key authority send in a round, by phase.

    All messages go over the aggregator, which asks each hospital and carries the answers on. CBOR's own bytes are
    counted by a few for each value, so that the result is near, not exact.
    """
    k, n = shape.hospitals, shape.slots
    ticket = 150 + NAMED * k
    advert = 230
    directory = ticket + (advert + NAMED) * k
    box = BOX + 2 * NAMED + 45
    request = ticket + NAMED * k
    answer = NAMED + (SHARE + 2 + NAMED) * k
    transcript = 9 * shape.parameters + WORD * n + request + k * answer + 400
    opening = directory + transcript + k * (NAMED + 10 * shape.vectors)
    ask = FRAME + ROUTE
    state = 4 * shape.parameters + 120
    asked = {  # of one hospital
        "authenticate": ask + DIGEST + 10,
        "train": ask + ticket + state,
        "share keys": 3 * ask + ticket + directory + (k - 1) * box,
        "protect": ask + ticket,
        "commit": 3 * (ask + ticket),
        "open the sum": ask + request,
        "verify": ask + ticket + DIGEST,
        "record": ask + ticket + opening + 200,
    }
    given = {
        "authenticate": FRAME + 50,
        "train": FRAME + 60,
        "share keys": 3 * (FRAME + 50) + advert + (k - 1) * box,
        "protect": FRAME + 50 + DIGEST,
        "commit": 3 * (FRAME + 50) + shape.upload,
        "open the sum": FRAME + 50 + answer,
        "verify": FRAME + 50 + 10 * shape.vectors,
        "record": FRAME + 50 + SIGNATURE + NAMED,
    }
    third = {"open the sum": FRAME + ask + ticket + shape.upload + NAMED * k}
    return {
        HOSPITAL: {phase: float(size) for phase, size in given.items()},
        AGGREGATOR: {phase: float(k * size + third.get(phase, 0)) for phase, size in asked.items()},
        AUTHORITY: {"open the sum": float(FRAME + 50 + WORD * n)},
    }


@dataclass(frozen=True)
class Limit:
    """Where something breaks as hospitals join.

    Attributes:
        what: breaks.
        hospitals: the fewest at which it does; None if not up to `MOST`.
        mend: what one would do about it.
    """

    what: str
    hospitals: int | None
    mend: str


MOST = 10_000
LEDGER_MEMBERS = 256  # bits of the bitmap in which the contracts keep the members of a round
PHASE_SECONDS = 3600.0
LINK_BYTES = 100e6  # what a hospital would download for one round, at most
LEAST_BITS = 12  # of a fixed-point field: notebook 04 shows what fewer do to the model


def limits(model: Model, parameters: int) -> list[Limit]:
    """Return what breaks as hospitals join a round of `parameters` parameters, the first first.

    Thresholds: an hour for the ledger's work in a phase and for a hospital's own work, 100 MB for a hospital's
    download, 12 bits for a field, and the 256 members that the contracts can hold.
    """

    def first(breaks: Callable[[int], bool]) -> int | None:
        """Return the least K up to `MOST` at which `breaks`, which stays broken from there on."""
        if not breaks(MOST):
            return None
        low, high = 2, MOST
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if breaks(middle) else (middle + 1, high)
        return low

    def shaped(k: int) -> Shape:
        return Shape(k, parameters)

    def narrow(k: int) -> bool:
        return shaped(k).params.bits < LEAST_BITS

    def slow(role: str) -> Callable[[int], bool]:
        return lambda k: model.roles(shaped(k))[role] > 1e3 * PHASE_SECONDS

    def heavy(k: int) -> bool:
        return sum(bytes_sent(shaped(k))[AGGREGATOR].values()) / k > LINK_BYTES

    found = [
        Limit("the contracts' bitmap of members", first(lambda k: k > LEDGER_MEMBERS), "a bitmap of several words"),
        Limit(
            "the ledger's hour for a phase",
            first(slow(LEDGER)),
            "one transaction for many hospitals, with their signatures in it; or a node with a compiled EVM",
        ),
        Limit(
            "a hospital's hour",
            first(slow(HOSPITAL)),
            "mask towards log K neighbours instead of all (Bell et al. 2020), and check one recombination, not all",
        ),
        Limit(
            "a hospital's download of the transcript",
            first(heavy),
            "publish the K recombined seeds instead of the K² shares: each is held by its owner's signed commitment",
        ),
        Limit("the bits of a field", first(narrow), "sum in groups, and add the groups' sums"),
    ]
    return sorted(found, key=lambda limit: MOST + 1 if limit.hospitals is None else limit.hospitals)
