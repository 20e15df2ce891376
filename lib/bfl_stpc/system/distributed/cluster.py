"""Several nodes on one machine: in network namespaces with addresses and disks of their own, else side by side.

In a namespace a node has its own address on a bridge, and a mount of its own over the common folder, so that it sees
the partitions of its own hospitals and no other's. That takes root and iproute2. Without them the nodes are processes
that share address and disk, and only Ray's resources keep the roles apart.

Nodes start one after another: two that start at once may take the same ports.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from ray._raylet import GcsClient  # type: ignore[attr-defined]

from bfl_stpc.errors import ConfigError, PeerLost

NAMESPACES, SIDE_BY_SIDE = "network namespaces", "side by side"
HEAD = "head"
_STARTING = 120.0  # seconds for a node to be there
_ENDING = 10.0
_ALIVE = 0  # in Ray's table of nodes


def way() -> str:
    """Return how nodes would be kept apart on this machine: `NAMESPACES` or `SIDE_BY_SIDE`."""
    tools = all(shutil.which(tool) for tool in ("ip", "unshare", "mount"))
    if os.geteuid() or not tools:
        return SIDE_BY_SIDE
    probe = f"bfl{os.getpid()}p"
    if subprocess.run(["ip", "link", "add", probe, "type", "bridge"], capture_output=True, check=False).returncode:
        return SIDE_BY_SIDE
    _ip("link", "del", probe)
    return NAMESPACES


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster on this machine, for `found(address=, folder=, placed=True)`.

    Attributes:
        address: of the head, for `ray.init`.
        way: `NAMESPACES` or `SIDE_BY_SIDE`.
        folder: where every node sees the folders of its roles.
        hosts: address of each node, by name.
        disks: where this process reaches what a node sees in `folder`, by name.
    """

    address: str
    way: str
    folder: Path
    hosts: Mapping[str, str]
    disks: Mapping[str, Path]
    _names: Mapping[str, str] = field(default_factory=dict, repr=False)

    def unplug(self, node: str) -> None:
        """Take the cable out of a node that has a namespace: nothing reaches it, and nothing tells so.

        Raises:
            ConfigError: it has none.
        """
        _ip("link", "set", self._name(node), "down")

    def plug(self, node: str) -> None:
        """Put the cable back."""
        _ip("link", "set", self._name(node), "up")

    def _name(self, node: str) -> str:
        if node not in self._names:
            raise ConfigError(f"the node {node!r} has no cable of its own: the nodes are {self.way}")
        return self._names[node]


@contextmanager
def cluster(nodes: Mapping[str, Sequence[str]], root: Path, *, way: str) -> Iterator[Cluster]:
    """Build a cluster, and leave no process, namespace or bridge of it behind.

    Args:
        nodes: roles of each node, by its name; one must be `HEAD`, where the driver runs.
        root: a folder that is there, for the nodes' disks.
        way: `NAMESPACES` or `SIDE_BY_SIDE`; see `way`.

    Raises:
        ConfigError: there is no head, or a command of the machine refused; the message is the machine's.
        PeerLost: a node did not start in time.
    """
    if HEAD not in nodes:
        raise ConfigError(f"one node must be called {HEAD!r}; there are {', '.join(nodes)}")
    folder, apart = root / "folder", way == NAMESPACES
    folder.mkdir()
    disks = {node: root / f"disk of {node}" if apart and node != HEAD else folder for node in nodes}
    with ExitStack() as ending:
        session = ending.enter_context(tempfile.TemporaryDirectory(prefix="bfl-", ignore_cleanup_errors=True))
        names, hosts = _network(list(nodes), ending) if apart else ({}, dict.fromkeys(nodes, "127.0.0.1"))
        address = f"{hosts[HEAD]}:{_free_port(hosts[HEAD])}"
        for count, node in enumerate([HEAD, *(node for node in nodes if node != HEAD)]):
            disks[node].mkdir(exist_ok=True)
            where = ["--head", f"--port={address.split(':')[1]}", f"--temp-dir={session}", "--include-dashboard=false"]
            command = _ray(hosts[node], nodes[node], where if node == HEAD else [f"--address={address}"])
            if node in names:
                mounted = ["unshare", "--mount", "--propagation=private", "sh", "-c"]
                # Its own disk, and its own session: Ray would take the nodes for one, whose address the last one wrote.
                script = 'mount --bind "$1" "$2" && mount -t tmpfs session "$3" && shift 3 && exec "$@"'
                inside = [*mounted, script, "sh", str(disks[node]), str(folder), session, *command]
                command = ["ip", "netns", "exec", names[node], *inside]
            log = ending.enter_context((root / f"{node}.log").open("wb"))
            streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            process = subprocess.Popen(command, start_new_session=True, **streams)  # type: ignore[call-overload]
            ending.callback(_end, process)
            _await(address, count + 1, process, root / f"{node}.log")
        yield Cluster(address, way, folder, hosts, disks, names)


def _ray(host: str, roles: Sequence[str], where: Sequence[str]) -> list[str]:
    ray = "import sys; from ray.scripts.scripts import main; sys.exit(main())"
    resources = json.dumps(dict.fromkeys(roles, 1))
    sizes = ["--num-cpus=1", "--object-store-memory=100000000", f"--resources={resources}"]
    return [sys.executable, "-c", ray, "start", "--block", f"--node-ip-address={host}", *sizes, *where]


def _await(address: str, count: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when `count` nodes are there."""
    end, host = time.monotonic() + _STARTING, address.split(":")
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), socket.create_connection((host[0], int(host[1])), timeout=1):
            known = GcsClient(address=address).get_all_node_info(timeout=10)
            if sum(node.state == _ALIVE for node in known.values()) >= count:
                return
        time.sleep(0.3)
    raise PeerLost(f"node {count} did not start: {log.read_text(errors='replace')[-500:]}")


def _network(nodes: Sequence[str], ending: ExitStack) -> tuple[dict[str, str], dict[str, str]]:
    """Return the namespace of each node but the head, by name, and each node's address."""
    own = os.getpid() % 100000
    bridge, net = f"bfl{own}", f"10.{100 + own // 250 % 100}.{own % 250}"
    hosts = {HEAD: f"{net}.1"}
    _ip("link", "add", bridge, "type", "bridge")
    ending.callback(_ip, "link", "del", bridge)
    _ip("addr", "add", f"{net}.1/24", "dev", bridge)
    _ip("link", "set", bridge, "up")
    names = {}
    for number, node in enumerate((node for node in nodes if node != HEAD), start=2):
        name = names[node] = f"{bridge}n{number}"  # of the namespace, and of the end of its cable in the bridge
        hosts[node] = f"{net}.{number}"
        _ip("netns", "add", name)
        ending.callback(_ip, "netns", "del", name)
        _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", name, "master", bridge, "up")
        for words in (
            ("addr", "add", f"{hosts[node]}/24", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", name, *words)
    return names, hosts


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigError(f"`ip {' '.join(words)}` was refused: {done.stderr.strip()}")


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a node: all processes that it started, and no other."""
    with suppress(psutil.NoSuchProcess):
        started = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        _, left = psutil.wait_procs(started, timeout=_ENDING)
        for one in left:
            one.kill()
        psutil.wait_procs(left, timeout=_ENDING)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=_ENDING)
    process.kill()
    process.wait()
