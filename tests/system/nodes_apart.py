"""A trial on several nodes, for a process of its own: Ray keeps the address of its first node."""

from system.small_system import CLIP, CONFIG, SPEC, small_records

from bfl_stpc import federated, system
from bfl_stpc.system import distributed
from bfl_stpc.system.distributed import cluster as clusters
from bfl_stpc.system.distributed import faults, trials

START = system.State(0, federated.init_weights(SPEC, seed=1))
OPTIONS = {"experiment": "test", "clip": CLIP, "max_records": 1000}


def without_a_cable():
    """Run three rounds: all there, a hospital's cable out, and in again.

    Return survivors and digests by round, the nodes' addresses, and the folders that each hospital sees.
    """
    records, apart = small_records(), {"placed": True, "deadline": 120, "seat_of": faults.fragile_seat_of}
    with (
        trials.a_node_each(records, clusters.NAMESPACES) as cluster,
        distributed.found(
            list(records), CONFIG, folder=cluster.folder, address=cluster.address, **apart, **OPTIONS
        ) as consortium,
    ):
        states = [consortium.run_round(START)]
        faults.hurry(consortium, 6)
        cluster.unplug("node of hospital-1")
        states.append(consortium.run_round(states[-1]))
        cluster.plug("node of hospital-1")
        consortium.settle()
        states.append(consortium.run_round(states[-1]))
        survivors, digests = [consortium.survivors[s.round] for s in states], [s.digest for s in states]
        return survivors, digests, tuple(cluster.hosts.values()), trials.seen_by_hospitals(consortium)
