"""Where the processor's time of a round goes, by layer: a sample of the running code every millisecond of it."""

from __future__ import annotations

import signal
import types
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

INTERVAL = 0.001  # seconds of processor time between two samples
ELSEWHERE = "elsewhere"
# Parts of file names by layer. The innermost function that belongs to a layer decides, so that a hash taken by the
# state's trie counts as a hash, and one taken by a helper of no layer as its caller's.
LAYERS: dict[str, tuple[str, ...]] = {
    "execution of contracts (py-evm)": ("/eth/",),
    "state trie and RLP": ("/trie/", "/rlp/"),
    "hashes and signatures of the ledger": ("/eth_hash/", "/Crypto/", "/eth_keys/", "/coincurve/", "ledger/remembered"),
    "calls and typed data (ABI, EIP-712)": ("/eth_abi/", "/eth_account/", "/web3/", "bfl_stpc/ledger/"),
    "encryption (BFV)": ("/tenseal/", "hazmat/bfv"),
    "keys, shares, masks, tags": ("bfl_stpc/stpc/",),
    "sealed messages (CBOR, AES-GCM)": ("/cbor2/", "system/codec", "system/wire", "system/service"),
    "stores (SQLite)": ("system/store",),
    "calls to TFF": ("/tensorflow_federated/", "/tensorflow/", "federated/training"),
    "accounting of privacy": ("/dp_accounting/", "privacy/accounting"),
}


@contextmanager
def sampled() -> Iterator[Counter[str]]:
    """Count, by layer, the milliseconds of processor time that the block takes in this process's Python code.

    The main thread only; other threads and processes, such as TFF's worker, are not seen.
    """
    found: Counter[str] = Counter()

    def note(_: int, frame: types.FrameType | None) -> None:
        found[layer(frame)] += 1

    before = signal.signal(signal.SIGPROF, note)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
    try:
        yield found
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def layer(frame: types.FrameType | None) -> str:
    """Return the layer of the innermost function, from `frame` outwards, that belongs to one."""
    while frame is not None:
        name = frame.f_code.co_filename
        for called, parts in LAYERS.items():
            if any(part in name for part in parts):
                return called
        frame = frame.f_back
    return ELSEWHERE
