"""Trials on several nodes, each in a process that can be started anew: Ray keeps the address of its first node."""

from contextlib import contextmanager

import pytest
from system.small_system import CLIP, CONFIG, SPEC, small_records

from bfl_stpc import federated, system
from bfl_stpc.errors import ConfigError
from bfl_stpc.system import distributed
from bfl_stpc.system.distributed import cluster as clusters
from bfl_stpc.system.distributed import faults, trials

START = system.State(0, federated.init_weights(SPEC, seed=1))
OPTIONS = {"experiment": "test", "clip": CLIP, "max_records": 1000}


@contextmanager
def on_nodes(way, **options):
    """A cluster with a node for each hospital, and the consortium on it."""
    records = small_records()
    with trials.a_node_each(records, way) as cluster:
        placed = {"folder": cluster.folder, "address": cluster.address, "placed": True, "deadline": 120}
        with distributed.found(list(records), CONFIG, **OPTIONS, **placed, **options) as consortium:
            yield cluster, consortium


def side_by_side():
    """Run a round on nodes that share this machine's address and disk; return the digest of the model."""
    with on_nodes(clusters.SIDE_BY_SIDE) as (cluster, consortium):
        with pytest.raises(ConfigError, match="side by side"):
            cluster.unplug("node of hospital-1")
        return consortium.run_round(START).digest


def without_a_cable():
    """Run three rounds: all there, a hospital's cable out, and in again; return survivors and digests."""
    with on_nodes(clusters.NAMESPACES, seat_of=faults.fragile_seat_of) as (cluster, consortium):
        states = [consortium.run_round(START)]
        faults.hurry(consortium, 6)
        cluster.unplug("node of hospital-1")
        states.append(consortium.run_round(states[-1]))
        cluster.plug("node of hospital-1")
        consortium.settle()
        states.append(consortium.run_round(states[-1]))
        return [consortium.survivors[state.round] for state in states], [state.digest for state in states]
