"""Trials of whole rounds whose roles have a process each, on one node or on several, and of their deaths."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

from bfl_stpc import federated
from bfl_stpc.errors import BflError
from bfl_stpc.system.distributed import cluster as clusters
from bfl_stpc.system.distributed import faults
from bfl_stpc.system.distributed.consortium import DistributedConsortium, found
from bfl_stpc.system.distributed.partition import write_partition
from bfl_stpc.system.faults import Fault
from bfl_stpc.system.founding import Articles
from bfl_stpc.system.roles import AGGREGATOR, AUTHORITY, LEDGER
from bfl_stpc.system.state import State

DEADLINE = 60.0
SHORT = 6.0  # seconds: the deadline that a straggler, or a node whose cable is out, passes
DEATHS = (
    Fault("hospital", "train", "during"),
    Fault("hospital", "commit", "after"),
    Fault("hospital", "send", "after"),
    Fault(AGGREGATOR, "train", "after"),
    Fault(AGGREGATOR, "open", "after"),
    Fault(LEDGER, "submit", "after"),
    Fault("hospital", "train", faults.LATE),
)


@dataclass(frozen=True)
class Apart:
    """Rounds of roles that have a process each.

    Attributes:
        founding_s: seconds until all processes were there and the contracts deployed.
        wall_ms: of each round, after one to warm up.
        state: what they led to.
        survivors: hospitals in the last sum.
        way: how the nodes were kept apart; empty on one node.
        hosts: addresses of the nodes.
        seen: the roles' folders that the node of each hospital sees; empty on one node.
    """

    founding_s: float
    wall_ms: tuple[float, ...]
    state: State
    survivors: tuple[str, ...]
    way: str = ""
    hosts: tuple[str, ...] = ()
    seen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def on_one_node(articles: Articles, records: Mapping[str, federated.ClientData], start: State, count: int) -> Apart:
    """Run `count` rounds from `start`, after one to warm up, with a process for each role on this machine."""
    with _partitions(records) as folder:
        begun = time.perf_counter()
        with _found(articles, folder) as consortium:
            return _rounds(consortium, start, count, time.perf_counter() - begun)


def on_nodes(
    articles: Articles, records: Mapping[str, federated.ClientData], start: State, count: int, way: str
) -> Apart:
    """Do as `on_one_node`, with a node for each hospital, which holds that hospital's partition and no other.

    It runs in a process of its own, for Ray may keep the address of its first node for as long as a process lives.
    `way` is `cluster.NAMESPACES` or `cluster.SIDE_BY_SIDE`; `cluster.way()` tells what this machine offers.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as driver:
        return driver.submit(_on_nodes, articles, records, start, count, way).result()


@contextmanager
def _partitions(records: Mapping[str, federated.ClientData]) -> Iterator[Path]:
    """Yield a folder with every hospital's partition, until the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        for name, own in records.items():
            write_partition(Path(folder) / name, own)
        yield Path(folder)


@contextmanager
def a_node_each(records: Mapping[str, federated.ClientData], way: str) -> Iterator[clusters.Cluster]:
    """Yield a cluster whose nodes hold one hospital's partition each, and whose head serves all other roles.

    Args:
        records: by hospital; the node of "h" is called "node of h".
        way: `cluster.NAMESPACES` or `cluster.SIDE_BY_SIDE`.

    Raises:
        ConfigError, PeerLost: see `cluster.cluster`.
    """
    nodes: dict[str, Sequence[str]] = {clusters.HEAD: (LEDGER, AUTHORITY, AGGREGATOR)}
    nodes |= {f"node of {name}": (name,) for name in records}
    with tempfile.TemporaryDirectory() as root, clusters.cluster(nodes, Path(root), way=way) as cluster:
        for name, own in records.items():
            write_partition(cluster.disks[f"node of {name}"] / name, own)
        yield cluster


def _on_nodes(
    articles: Articles, records: Mapping[str, federated.ClientData], start: State, count: int, way: str
) -> Apart:
    with a_node_each(records, way) as cluster:
        begun = time.perf_counter()
        with _found(articles, cluster.folder, address=cluster.address, placed=True) as consortium:
            taken = _rounds(consortium, start, count, time.perf_counter() - begun)
            seen = seen_by_hospitals(consortium)
        return replace(taken, way=cluster.way, hosts=tuple(cluster.hosts.values()), seen=seen)


def seen_by_hospitals(consortium: DistributedConsortium) -> dict[str, tuple[str, ...]]:
    """Return the roles' folders that each hospital's process sees, in its own mount namespace (proc(5))."""
    inside, pids = consortium.folder.relative_to("/"), consortium.pids()
    folders = {name: Path("/proc") / str(pids[name][0]) / "root" / inside for name in consortium.hospitals}
    return {name: tuple(sorted(each.name for each in folder.iterdir())) for name, folder in folders.items()}


@dataclass(frozen=True)
class Death:
    """What came of one fault in a process.

    Attributes:
        fault: which.
        errors: names of what the driver was told, before the round finished.
        before: what the round that finished started from.
        after: what it led to.
        survivors: hospitals in its sum.
    """

    fault: Fault
    errors: tuple[str, ...]
    before: State
    after: State
    survivors: tuple[str, ...]


def deaths(articles: Articles, records: Mapping[str, federated.ClientData], start: State) -> list[Death]:
    """Let each of `DEATHS` strike a consortium on this machine, and run rounds on until one finishes.

    In the end the key authority is killed for good, and restarted when the round was aborted for it.
    """
    done, state = [], start
    with (
        _partitions(records) as folder,
        _found(articles, folder, seat_of=faults.fragile_seat_of) as consortium,
    ):
        state = consortium.run_round(state)
        for number, fault in enumerate(DEATHS):
            if fault.role == "hospital":
                fault = replace(fault, role=articles.hospitals[number % len(articles.hospitals)])
            if fault.what == faults.LATE:
                faults.hurry(consortium, SHORT)
            faults.strike(consortium, fault, seconds=2.5 * SHORT)
            done.append(_suffer(consortium, fault, start, state))
            state = done[-1].after
        consortium.kill(AUTHORITY)
        done.append(_suffer(consortium, Fault(AUTHORITY, "open", "before"), start, state))
    return done


def _suffer(consortium: DistributedConsortium, fault: Fault, start: State, before: State) -> Death:
    errors: list[str] = []
    state = before
    while True:
        try:
            after = consortium.run_round(state)
            break
        except BflError as error:
            errors.append(type(error).__name__)
            if fault.role == AUTHORITY:
                consortium.restart(AUTHORITY)
            if len(errors) > 5:
                raise
            consortium.settle()
            state = consortium.latest(start)
    consortium.settle()
    return Death(fault, tuple(errors), state, after, consortium.survivors[after.round])


def _found(articles: Articles, folder: Path, **where: object) -> DistributedConsortium:
    agreed = {"experiment": articles.experiment, "clip": articles.clip, "max_records": articles.max_records}
    options = {"promise": articles.promise, "folder": folder, "deadline": DEADLINE}
    return found(articles.hospitals, articles.config, **agreed, **options, **where)  # type: ignore[arg-type]


def _rounds(consortium: DistributedConsortium, start: State, count: int, founding_s: float) -> Apart:
    state = start
    for _ in range(1 + count):
        state = consortium.run_round(state)
    return Apart(founding_s, tuple(consortium.wall_ms[1:]), state, consortium.survivors[state.round])
