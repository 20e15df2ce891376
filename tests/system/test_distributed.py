"""Roles in processes of their own: the same model bit for bit, whoever dies, and no process left."""

import importlib.util
import os
import signal
import subprocess
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, resource_tracker
from pathlib import Path

import psutil
import pytest
import yaml
from system.small_system import CONFIG, small_consortium, small_records

from bfl_stpc import federated, system
from bfl_stpc.errors import BflError, ConfigError, RoundAborted
from bfl_stpc.system import AGGREGATOR, AUTHORITY, LEDGER, inspection
from bfl_stpc.system.faults import Fault
from bfl_stpc.system.founding import Articles

if importlib.util.find_spec("ray") is None:
    pytest.skip("Ray is not installed: make setup GROUPS='dev distributed'", allow_module_level=True)

from system import nodes_apart
from system.nodes_apart import OPTIONS, START

from bfl_stpc.system import distributed
from bfl_stpc.system.distributed import cluster as clusters
from bfl_stpc.system.distributed import faults, trials

pytestmark = pytest.mark.slow


def write(folder, hospitals=3):
    for name, records in small_records(hospitals).items():
        distributed.write_partition(folder / name, records)


def left_of(processes):
    """Return those that still live after a while that an orderly end takes."""
    _, alive = psutil.wait_procs(processes, timeout=60)
    return [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def children(pid):
    return psutil.Process(pid).children(recursive=True)


@pytest.fixture(scope="module")
def worn(tmp_path_factory):
    """A consortium of three in as many processes, which goes from one fault to the next, and its twin in this one."""
    folder, before = tmp_path_factory.mktemp("roles"), set(children(os.getpid()))
    write(folder)
    with distributed.found(
        list(small_records()), CONFIG, folder=folder, seat_of=faults.fragile_seat_of, deadline=120, **OPTIONS
    ) as consortium:
        yield {"consortium": consortium, "state": START, "twin": small_consortium(), "folder": folder, "before": before}


def next_round(worn):
    """Run a round; return who was in its sum, which must be exact."""
    before = worn["state"]
    after = worn["state"] = worn["consortium"].run_round(before)
    survivors = worn["consortium"].survivors[after.round]
    exact = inspection.exact_successor(worn["twin"], before, after.round, survivors)
    assert exact.digest == after.digest
    return survivors


def test_distributed_and_embedded_give_the_same_model_bit_for_bit(worn):
    embedded, states = small_consortium(), [START]
    for _ in range(2):
        next_round(worn)
        states.append(system.run_round(states[-1], embedded))
        assert worn["state"].weights.tobytes() == states[-1].weights.tobytes()
    assert states[1].digest != states[2].digest


def test_each_role_opens_its_own_folder_and_no_other(worn):
    for name, pids in worn["consortium"].pids().items():
        opened = [f.readlink() for f in Path(f"/proc/{pids[0]}/fd").iterdir() if f.exists()]
        ours = {f.relative_to(worn["folder"]).parts[0] for f in opened if f.is_relative_to(worn["folder"])}
        assert ours == {name}


def test_only_hospitals_start_a_worker(worn):
    pids = worn["consortium"].pids()
    assert {name for name, own in pids.items() if len(own) > 1} == set(small_records())


def test_a_folder_without_records_is_named(tmp_path):
    with pytest.raises(ConfigError, match="holds no records"):
        distributed.read_partition(tmp_path / "hospital-9")


@pytest.mark.parametrize(
    ("name", "kind", "what"),
    [("hospital-0", "train", "during"), ("hospital-1", "commit", "after"), ("hospital-2", "send", "after")],
)
def test_a_hospital_that_dies_is_left_out_and_comes_back(worn, name, kind, what):
    faults.strike(worn["consortium"], Fault(name, kind, what))
    assert set(next_round(worn)) == set(small_records()) - {name}
    assert {a.hospital for a in worn["consortium"].absences} >= {name}
    worn["consortium"].settle()
    assert len(next_round(worn)) == 3


@pytest.mark.parametrize("step", ["commit", "open"])
def test_an_aggregator_that_dies_takes_the_round_up(worn, step):
    consortium, before = worn["consortium"], worn["state"]
    faults.strike(consortium, Fault(AGGREGATOR, step, "after"))
    with pytest.raises(BflError, match="aggregator did not answer"):
        consortium.run_round(before)
    consortium.settle()
    assert consortium.latest(START).digest == before.digest
    assert len(next_round(worn)) == 3
    assert worn["state"].round == before.round + 1  # the same round: nothing was opened anew


def test_an_unreachable_key_authority_aborts_the_round_by_name(worn):
    worn["consortium"].kill(AUTHORITY)
    with pytest.raises(RoundAborted, match="key authority"):
        worn["consortium"].run_round(worn["state"])
    worn["consortium"].restart(AUTHORITY)
    assert len(next_round(worn)) == 3


def test_a_restarted_ledger_goes_on_from_its_blocks(worn):
    before, errors = worn["consortium"].pids()[LEDGER], []
    faults.strike(worn["consortium"], Fault(LEDGER, "submit", "after"))
    try:
        next_round(worn)  # where it starts again before the others stop asking, they lose nothing
    except BflError as error:
        errors.append(str(error))
    assert all("ledger" in error for error in errors)
    worn["consortium"].settle()
    assert worn["consortium"].pids()[LEDGER] != before
    assert len(next_round(worn)) == 3


def test_a_straggler_past_its_deadline_is_left_out(worn):
    faults.hurry(worn["consortium"], 8)
    faults.strike(worn["consortium"], Fault("hospital-1", "train", faults.LATE), seconds=20)
    assert set(next_round(worn)) == {"hospital-0", "hospital-2"}
    worn["consortium"].settle()
    assert len(next_round(worn)) == 3


def test_nothing_is_left_after_ctrl_c(worn):
    processes = [p for p in children(os.getpid()) if p not in worn["before"]]
    assert {pid for own in worn["consortium"].pids().values() for pid in own} <= {p.pid for p in processes}
    own = federated.worker.pids()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background ignores it
    try:
        with pytest.raises(KeyboardInterrupt), worn["consortium"]:
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not left_of([p for p in processes if p.pid not in own])


def test_nodes_side_by_side_give_the_same_model_and_leave_nothing():
    """What a machine offers where nobody is root; two hospitals, since every node starts a Ray of its own."""
    records = small_records(2)
    articles = Articles(tuple(records), CONFIG, **OPTIONS)
    expected = system.run_round(START, small_consortium(hospitals=2))
    resource_tracker.ensure_running()  # of multiprocessing: it lives as long as this process
    before = set(children(os.getpid()))
    taken = trials.on_nodes(articles, records, START, 0, clusters.SIDE_BY_SIDE)
    assert taken.state.digest == expected.digest
    assert set(taken.hosts) == {"127.0.0.1"}
    assert not left_of(set(children(os.getpid())) - before)


def test_a_node_side_by_side_has_no_cable():
    cluster = clusters.Cluster("", clusters.SIDE_BY_SIDE, Path(), {}, {})
    with pytest.raises(ConfigError, match="side by side"):
        cluster.unplug("node of hospital-1")


@pytest.mark.skipif(clusters.way() != clusters.NAMESPACES, reason="needs root, iproute2 and util-linux")
def test_nodes_apart_see_their_own_partitions_only_and_one_whose_cable_is_out_is_left_out_and_comes_back():
    resource_tracker.ensure_running()  # of multiprocessing: it lives as long as this process
    before = set(children(os.getpid()))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as driver:
        survivors, digests, hosts, seen = driver.submit(nodes_apart.without_a_cable).result(timeout=400)
    assert not left_of(set(children(os.getpid())) - before)
    everyone = tuple(small_records())
    assert survivors == [everyone, ("hospital-0", "hospital-2"), everyone]
    twin, state = small_consortium(), START
    for there, digest in zip(survivors, digests):
        state = inspection.exact_successor(twin, state, state.round + 1, there)
        assert state.digest == digest
    assert len(set(hosts)) == 4
    assert seen == {name: (name,) for name in everyone}
    addresses = subprocess.run(["ip", "-o", "addr"], capture_output=True, text=True, check=True).stdout
    assert hosts[0] not in addresses  # the bridge is gone


def test_the_cluster_file_for_ec2_has_the_form_that_ray_asks_for():
    from ray.autoscaler._private.util import prepare_config, validate_config

    text = (Path(__file__).parents[2] / "deploy" / "aws" / "cluster.yaml").read_text()
    config = prepare_config(yaml.safe_load(text))
    validate_config(config)
    offered = [set(kind["resources"]) for kind in config["available_node_types"].values()]
    assert {LEDGER, AUTHORITY, AGGREGATOR} <= offered[0]
    assert all(sum(f"hospital-{k}" in node for node in offered) == 1 for k in range(3))
