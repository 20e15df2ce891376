"""What the ledger costs: gas, exact on every machine; milliseconds, as ratios to web3 and eth-tester in one run.

"Defaults" are `contract.functions.f().transact()` on a plain `EthereumTesterProvider`: gas estimated by search, fees
and nonce asked for each time, random block fields. `compare` measures with and without coincurve, each in a process
of its own, since the choice is made once per process.
"""

import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from web3 import EthereumTesterProvider, Web3

from bfl_stpc.ledger import merkle
from bfl_stpc.ledger.artifacts import load
from bfl_stpc.ledger.audit import Action, Entry, Purpose, Reviewer, extend
from bfl_stpc.ledger.chain import Chain, InMemoryChain
from bfl_stpc.ledger.facade import Ledger
from bfl_stpc.ledger.identity import Identity
from bfl_stpc.ledger.rounds import Result

NATIVE = "eth_keys.backends.NativeECCBackend"


def sha(text: str) -> bytes:
    """Return SHA-256 of a text."""
    return hashlib.sha256(text.encode()).digest()


def consortium(count: int = 10, threshold: int = 6) -> tuple[Ledger, Identity, list[Identity]]:
    """Return a ledger on a new chain, its admin and its hospitals."""
    admin = Identity.derive("consortium", 1)
    hospitals = [Identity.derive(f"hospital-{i:02d}", 1) for i in range(count)]
    addresses = {h.name: h.address for h in hospitals}
    chain = Chain.in_memory()
    return Ledger.deploy(chain, admin=admin, hospitals=addresses, threshold=threshold), admin, hospitals


def gas() -> dict[str, int]:
    """Return the gas of each operation, in a consortium of ten; exact, the same on every machine."""
    led, admin, hospitals = consortium()
    patient, record, used = Identity.derive("patient", 1), sha("pseudonym"), {}
    for h in hospitals:
        used["login"] = led.login(h, round=1, model=sha("w0")).gas
    ticket = led.open_round(1, model=sha("w0"), check_modulus=2**42 - 11)
    opened = [e for e in led.events() if e.name == "RoundOpened"]
    used["open round"] = int(led.chain.web3.eth.get_transaction_receipt(opened[0].tx_hash)["gasUsed"])  # type: ignore[arg-type]
    for h in hospitals[:9]:
        used["commit"] = led.commit(h, ticket, sha(h.name)).gas
    used["last commit"] = led.commit(hospitals[9], ticket, sha(hospitals[9].name)).gas
    for h in hospitals[:9]:
        used["reveal"] = led.reveal(h, ticket, sha(h.name)).gas
    used["last reveal"] = led.reveal(hospitals[9], ticket, sha(hospitals[9].name)).gas
    used["publish aggregate"] = led.publish_aggregate(ticket, sha("sum")).gas
    used["publish opening"] = led.publish_opening(ticket, sha("slots")).gas
    led.random_seed(ticket)
    for h in hospitals:
        used["post check"] = led.post_check(h, ticket, [1, 2]).gas
    result = Result(sha("sum"), sha("w1"), 10, 0.5, (10, 20))
    approvals = [led.approve(h, ticket, result) for h in hospitals[:6]]
    used["finalise with 6 signatures"] = led.close_round(ticket, result, approvals).gas
    used["enrol record"] = led.consents.enrol(hospitals[0], record, patient.address, sha("c")).gas
    consent = (hospitals[0], patient, record, hospitals[1].name, Purpose.RESEARCH)
    used["grant consent"] = led.consents.grant(*consent, Action.TRAIN, seconds=1000).gas
    used["narrow consent"] = led.consents.grant(*consent, Action.READ, seconds=1000).gas
    for _ in range(3):
        led.consents.request(hospitals[1], record, Purpose.RESEARCH, Action.READ)
    requested = [e for e in led.events() if e.name == "AuditAppended"][-1]
    used["audited decision"] = int(led.chain.web3.eth.get_transaction_receipt(requested.tx_hash)["gasUsed"])  # type: ignore[arg-type]
    used["revoke consent"] = led.consents.revoke(*consent).gas
    used["break glass"] = led.consents.break_glass(hospitals[1], record, "found unconscious").gas
    used["report"] = led.trail.report(hospitals[0], record, Purpose.TREATMENT, Action.READ).gas
    used["erase record"] = led.consents.erase(hospitals[0], patient, record).gas
    used["register hospital"] = led.registry.register(admin, "hospital-10", Identity.derive("x", 1).address).gas
    used["revoke hospital"] = led.registry.revoke(admin, "hospital-10").gas
    return used


def median_ms(act: Callable[[int], object], repeats: int) -> float:
    """Return the median milliseconds of `act(i)`."""
    times = []
    for i in range(repeats):
        start = time.perf_counter()
        act(i)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def defaults_commit_ms(repeats: int) -> float:
    """Return the median milliseconds of an event-emitting call with web3 and eth-tester as they come."""
    web3 = Web3(EthereumTesterProvider())
    account = web3.eth.accounts[0]

    def deploy(name: str, *arguments: Any) -> Any:
        artifact = load(name)
        factory = web3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
        receipt = web3.eth.wait_for_transaction_receipt(factory.constructor(*arguments).transact({"from": account}))
        return web3.eth.contract(address=receipt["contractAddress"], abi=artifact.abi)

    registry = deploy("HospitalRegistry", account, 3600)
    registry.functions.register(b"hospital".ljust(32, b"\0"), account).transact({"from": account})
    trail = deploy("AuditTrail", account, registry.address)

    def commit(i: int) -> None:
        call = trail.functions.report(sha("r"), 0, 1, sha(str(i)))
        web3.eth.wait_for_transaction_receipt(call.transact({"from": account}))

    return median_ms(commit, repeats)


def speed(repeats: int, batch: int) -> dict[str, Any]:
    """Return this process's figures: our commit, the defaults', a batch, and a login step by step."""
    led, _, hospitals = consortium()
    record = sha("r")
    ours = median_ms(
        lambda i: led.trail.report(hospitals[0], record, Purpose.TREATMENT, Action.READ, sha(str(i))), repeats
    )
    calls = []
    for i in range(batch):
        data = led.trail.contract.encode("report", record, 0, 1, sha(f"b{i}"))
        calls.append((hospitals[i % 10], led.trail.contract.address, data))
    assert isinstance(led.chain, InMemoryChain)
    start = time.perf_counter()
    led.chain.transact_all(calls)
    per_second = batch / (time.perf_counter() - start)
    sessions = [led.login(hospitals[i % 10], round=1, model=sha("w")) for i in range(repeats)]
    steps = {k: statistics.median(s.ms[k] for s in sessions) for k in sessions[0].ms}
    totals = sorted(s.total_ms for s in sessions)
    receipts = [led.trail.report(hospitals[0], record, Purpose.TREATMENT, Action.READ) for _ in range(repeats)]
    return {
        "commit_ms": ours,
        "commit_steps": {k: statistics.median(r.ms[k] for r in receipts) for k in receipts[0].ms},
        "defaults_commit_ms": defaults_commit_ms(repeats),
        "batch_per_second": per_second,
        "login_ms": {"median": statistics.median(totals), "p95": totals[int(0.95 * len(totals))], "steps": steps},
    }


def growth(sizes: Sequence[int]) -> list[dict[str, float]]:
    """Return, for trails of several sizes: seconds to review all, to review 100 more, and to prove and verify one."""
    found = []
    for size in sizes:
        entries, heads, head = [], [], bytes(32)
        for i in range(size + 100):
            entry = Entry(i, 1_767_225_600 + i, "hospital-00", sha("r"), 0, 1, 3, bytes(32), sha(str(i)))
            head = extend(head, entry.leaf())
            entries.append(entry)
            heads.append(head)
        reviewer = Reviewer()
        start = time.perf_counter()
        reviewer.extend(entries[:size], heads[:size])
        full = time.perf_counter()
        reviewer.extend(entries[size:], heads[size:])
        more = time.perf_counter()
        one = median_ms(partial(_verify_one, reviewer.tree, size // 3, entries[size // 3].leaf()), 50)
        found.append({"entries": size, "review_s": full - start, "next_100_s": more - full, "verify_one_ms": one})
    return found


def _verify_one(tree: merkle.Tree, index: int, leaf: bytes, _: int) -> None:
    tree.proof(index).verify(leaf, tree.root())


def compare(repeats: int, batch: int) -> dict[str, dict[str, Any]]:
    """Return `speed` with coincurve and with pure Python, each from a process of its own."""
    runs = {}
    for name, backend in (("coincurve", ""), ("pure Python", NATIVE)):
        environment = {k: v for k, v in os.environ.items() if k != "ECC_BACKEND_CLASS"}
        environment |= {"ECC_BACKEND_CLASS": backend} if backend else {}
        command = [sys.executable, "-m", "bfl_stpc.ledger.measure", str(repeats), str(batch)]
        run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        runs[name] = json.loads(run.stdout)
    return runs


if __name__ == "__main__":
    print(json.dumps(speed(int(sys.argv[1]), int(sys.argv[2]))))
