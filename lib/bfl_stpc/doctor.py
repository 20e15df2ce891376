"""Check this machine in under two minutes: a kernel, a TFF step, an HE round trip, an EVM transaction."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console

from bfl_stpc.errors import BflError, ConfigError, FederatedError, LedgerError, StpcError, StudyError
from bfl_stpc.ticket import Ticket

GIB = 2**30


def machine() -> str:
    """Check Python, platform, memory and disk.

    Raises:
        ConfigError: naming what does not fit, and the mend.
    """
    if sys.version_info[:2] != (3, 11) or (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise ConfigError(
            f"Python {platform.python_version()} on {platform.system()} {platform.machine()}: TensorFlow Federated "
            "needs Python 3.11 on Linux x86-64"
        )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    if memory < 4:
        raise ConfigError(f"{memory:.1f} GiB of memory: the notebooks need 4; close other programs or add swap")
    free = shutil.disk_usage(".").free / GIB
    if free < 1:
        raise ConfigError(f"{free:.1f} GiB of disk are free: results and executed notebooks need 1")
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, {memory:.0f} GiB, {free:.0f} GiB of disk free"


def kernel() -> str:
    """Import JupyterLab, start this environment's kernel and let it add.

    Raises:
        StudyError: the kernel is another environment's, does not start or does not answer.
    """
    import jupyterlab.labapp
    from jupyter_client.manager import start_new_kernel

    from bfl_stpc.study.execution import QUIET_KERNEL, check_kernel

    check_kernel()
    try:
        manager, client = start_new_kernel(startup_timeout=60, extra_arguments=QUIET_KERNEL)
    except RuntimeError as error:
        raise StudyError(f"the Jupyter kernel does not start ({error}): run `make distclean setup`") from error
    try:
        reply = client.execute_interactive(
            "import sys; answer = 6 * 7", timeout=60, user_expressions={"x": "answer"}, output_hook=lambda _: None
        )
        answer = reply["content"]["user_expressions"]["x"]["data"]["text/plain"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    if answer != "42":
        raise StudyError(f"the Jupyter kernel says that 6 × 7 is {answer}")
    return f"JupyterLab {jupyterlab.labapp.LabApp.version}, kernel python3 starts and answers"


def tff_step() -> str:
    """Train a small model for one step through TensorFlow Federated at two clients.

    Raises:
        FederatedError: the updates are not finite, or training changed nothing.
    """
    from bfl_stpc import federated

    rng = np.random.default_rng(0)
    spec = federated.Mlp((4, 3, 1))
    weights = federated.init_weights(spec, seed=1)
    clients = [
        federated.ClientData(rng.normal(size=(32, 4)).astype(np.float32), rng.integers(0, 2, 32)) for _ in range(2)
    ]
    updates = federated.local_updates(weights, clients, federated.TrainConfig(spec=spec), seeds=[1, 2])
    if not all(np.isfinite(update).all() and update.any() for update in updates):
        raise FederatedError("a training step through TensorFlow Federated gave no usable update")
    return f"two clients trained, updates of {weights.size} parameters"


def round_trip() -> str:
    """Protect, add and open two updates by masks and BFV.

    Raises:
        StpcError: the opened sum is not the sum.
    """
    from bfl_stpc import stpc

    names = ("a", "b", "c")
    ticket = Ticket(1, bytes(32), 1, bytes(20), names, 2)
    params, board = stpc.Parameters(hospitals=3), stpc.Bulletin()
    parties = [stpc.Party(name, params, attest=board.read) for name in names]
    authority = stpc.KeyAuthority(params, attest=board.read)
    aggregator = stpc.Aggregator(params, authority.public_key)
    directory = stpc.set_up(parties, ticket, {party.name: party.identity for party in parties})
    update = np.linspace(-0.5, 0.5, 1000)
    uploads = [party.protect(update, ticket, directory, authority.public_key, records=1) for party in parties]
    for upload in uploads:
        board.commit(ticket, upload.hospital, upload.digest)
    aggregate = aggregator.add(uploads, ticket, {upload.hospital: upload.digest for upload in uploads})
    board.publish(ticket, aggregate.digest)
    total = stpc.open_sum(aggregate, ticket, directory, authority=authority, aggregator=aggregator, helpers=parties)
    error = float(np.abs(total.sum - 3 * update).max())
    if error > 3 * params.step:
        raise StpcError(f"the opened sum is off by {error}; rounding allows {3 * params.step}")
    return f"three updates of 1000 parameters summed under BFV and masks, largest error {error:.1e}"


def transaction() -> str:
    """Deploy the contracts on an in-memory chain, and log a hospital in.

    Raises:
        LedgerError: the contract refuses.
    """
    from bfl_stpc import ledger

    chain = ledger.Chain.in_memory()
    admin, hospital = ledger.Identity.derive("consortium", 1), ledger.Identity.derive("hospital-00", 1)
    other = ledger.Identity.derive("hospital-01", 1)
    members = {person.name: person.address for person in (hospital, other)}
    book = ledger.Ledger.deploy(chain, admin=admin, hospitals=members, threshold=2)
    session = book.login(hospital, round=1, model=bytes(31) + b"\1")
    if session.hospital != hospital.name:
        raise LedgerError(f"the contract opened a session for {session.hospital}")
    return f"contracts deployed, one login for {session.gas} gas"


CHECKS: dict[str, Callable[[], str]] = {
    "machine": machine,
    "Jupyter": kernel,
    "TFF step": tff_step,
    "HE round trip": round_trip,
    "EVM transaction": transaction,
}


def examine(console: Console) -> int:
    """Run every check and print what it found; return 0 if all passed, else 1."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    failed = []
    for name, check in CHECKS.items():
        started = time.monotonic()
        try:
            found, mark = check(), "ok  "
        except (BflError, ImportError, OSError) as error:
            found, mark = f"{type(error).__name__}: {error}", "FAIL"
            failed.append(name)
        console.print(f"{mark} {name:<15} {found} ({time.monotonic() - started:.1f} s)", markup=False)
    if failed:
        console.print(f"{len(failed)} of {len(CHECKS)} checks failed: {', '.join(failed)}")
        return 1
    console.print("this machine can run the companion")
    return 0
