"""Benchmarks of the secure sum: ratios within one run, on one core.

    python benchmarks/bench_stpc.py                        # everything but the peers
    python benchmarks/bench_stpc.py --peers .venv-peers/bin/python
    python benchmarks/bench_stpc.py --large                # curves to 10**7 parameters and 200 hospitals

Prints JSON. Seconds are CPU seconds, the least of several repeats; what counts are the ratios.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bfl_stpc import stpc
from bfl_stpc.stpc.hazmat import bfv, fixed_point, masks, unmasking
from bfl_stpc.stpc.hazmat.ckks import CkksKeys
from bfl_stpc.ticket import Ticket


def least(repeats: int, action: Callable[[], Any]) -> tuple[float, Any]:
    """Return (least CPU seconds of `repeats` runs, last result); all code here runs on one thread."""
    times, result = [], None
    for _ in range(repeats):
        start = time.process_time()
        result = action()
        times.append(time.process_time() - start)
    return min(times), result


def encryption(size: int, uploads: int = 10, repeats: int = 5) -> dict[str, Any]:
    """Packed BFV against CKKS at NVIDIA FLARE's parameters: encode and encrypt, add `uploads`, decrypt."""
    params = stpc.Parameters(hospitals=uploads, bits=20)
    secret, keys = bfv.SecretKey(params), CkksKeys()
    update = np.random.default_rng(0).uniform(-1, 1, size)
    ours_s, ours = least(
        repeats, lambda: list(bfv.encrypt(fixed_point.encode(update, 1, params), secret.public, params))
    )
    theirs_s, theirs = least(repeats, lambda: keys.encrypt(update))
    add_s, total = least(1, lambda: list(bfv.add(zip(*[ours] * uploads, strict=True), secret.public, params)))
    ckks_add_s, ckks_total = least(1, lambda: keys.add([theirs] * uploads))
    open_s, slots = least(repeats, lambda: secret.decrypt(total, params.slots(size)))
    ckks_open_s, ckks_sum = least(repeats, lambda: keys.decrypt(ckks_total))
    decode_s, (opened, _) = least(repeats, lambda: fixed_point.decode(slots, size, uploads, params))
    ours_end, theirs_end = ours_s + (add_s / uploads) + open_s + decode_s, theirs_s + ckks_add_s / uploads + ckks_open_s
    return {
        "parameters": size,
        "bfv_bytes_per_parameter": sum(map(len, ours)) / size,
        "ckks_bytes_per_parameter": sum(map(len, theirs)) / size,
        "bytes_ratio": sum(map(len, theirs)) / sum(map(len, ours)),
        "bfv_encrypt_s": ours_s,
        "ckks_encrypt_s": theirs_s,
        "encrypt_ratio": theirs_s / ours_s,
        "bfv_end_to_end_s": ours_end,
        "ckks_end_to_end_s": theirs_end,
        "end_to_end_ratio": theirs_end / ours_end,
        "bfv_error": float(np.abs(opened - uploads * update).max()),
        "ckks_error": float(np.abs(ckks_sum - uploads * update).max()),
    }


def masking(size: int, hospitals: int, bits: int, repeats: int = 5) -> dict[str, Any]:
    """One client's masking without encryption: encode, one self mask and a pair mask a peer, pack to bytes."""
    params = dataclasses.replace(stpc.Parameters.widest(hospitals), bits=bits)
    update = np.random.default_rng(0).uniform(-1, 1, size)
    keys = [os.urandom(16) for _ in range(hospitals)]

    def mask() -> bytes:
        masker = masks.Masker(keys[::2], keys[1::2], params.modulus)
        chunks = fixed_point.encode(update, 1, params)
        return b"".join(masks.to_bytes(masker.apply(chunk), params.modulus) for chunk in chunks)

    seconds, payload = least(repeats, mask)
    bound = params.field_width / 8
    return {
        "parameters": size,
        "hospitals": hospitals,
        "bits": bits,
        "seconds": seconds,
        "bytes_per_parameter": len(payload) / size,
        "bound_bytes_per_parameter": bound,
    }


def recovery(size: int, hospitals: int = 10, dropped: int = 3) -> dict[str, Any]:
    """The aggregator's recovery from dropouts, in units of one hospital's protect."""
    params = stpc.Parameters(hospitals=hospitals, bits=20)
    board = stpc.Bulletin()
    authority = stpc.KeyAuthority(params, attest=board.read)
    names = tuple(f"h{i}" for i in range(hospitals))
    ticket = Ticket(1, b"m" * 32, 1, b"c" * 20, names, hospitals // 2 + 1)
    parties = [stpc.Party(n, params, attest=board.read) for n in names]
    set_up_s, directory = least(1, lambda: stpc.set_up(parties, ticket, {p.name: p.identity for p in parties}))
    update = np.random.default_rng(0).uniform(-1, 1, size)
    uploads, times = [], []
    for party in parties[dropped:]:
        seconds, upload = least(
            1,
            lambda p=party: p.protect(update, ticket, directory, authority.public_key, records=1),  # type: ignore[misc]
        )
        board.commit(ticket, party.name, upload.digest)
        uploads.append(upload)
        times.append(seconds)
    aggregator = stpc.Aggregator(params, authority.public_key)
    add_s, aggregate = least(1, lambda: aggregator.add(uploads, ticket, board.read(ticket).uploads))
    board.publish(ticket, aggregate.digest)
    open_s, slots = least(1, lambda: authority.open(aggregate, ticket))
    request = aggregator.unmask_request(aggregate, ticket, shared=names)
    answers = [p.unmask(request) for p in parties[dropped:]]
    recover_s, _ = least(1, lambda: unmasking.remove_masks(slots, request, directory, answers, params.modulus))
    return {
        "parameters": size,
        "hospitals": hospitals,
        "dropped": dropped,
        "set_up_per_hospital_s": set_up_s / hospitals,
        "protect_s": float(np.median(times)),
        "add_s": add_s,
        "open_s": open_s,
        "recover_s": recover_s,
        "recover_in_protects": recover_s / float(np.median(times)),
    }


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(field))) * 1024


def _peak(size: int) -> dict[str, int]:
    params = stpc.Parameters(hospitals=3, bits=20)
    board = stpc.Bulletin()
    names = ("a", "b", "c")
    ticket = Ticket(1, b"m" * 32, 1, b"c" * 20, names, 2)
    parties = [stpc.Party(n, params, attest=board.read) for n in names]
    authority = stpc.KeyAuthority(params, attest=board.read)
    directory = stpc.set_up(parties, ticket, {p.name: p.identity for p in parties})
    update = np.random.default_rng(0).random(size, dtype=np.float32)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far (Linux)
    before = _status("VmRSS")
    upload = parties[0].protect(update, ticket, directory, authority.public_key, records=1)
    peak = _status("VmHWM") - before
    return {"peak_bytes": peak, "vector_bytes": update.nbytes, "upload_bytes": len(upload.payload)}


def memory(size: int) -> dict[str, Any]:
    """Peak memory that `protect` adds to a process that holds a float32 update, the upload itself included."""
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        found = pool.submit(_peak, size).result()
    return {"parameters": size, **found, "peak_in_vectors": found["peak_bytes"] / found["vector_bytes"]}


def flower(python: str, size: int, hospitals: int, bits: int) -> dict[str, Any]:
    """Flower's SecAgg+ masking of the same vector, in the peers' environment."""
    script = Path(__file__).with_name("bench_stpc_flower.py")
    command = [python, str(script), str(hospitals), str(bits), "5", str(size)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", help="Python of the environment with Flower")
    parser.add_argument("--large", action="store_true", help="curves to 10**7 parameters and 200 hospitals")
    parser.add_argument("--size", type=int, default=10**6, help="parameters of the main comparison")
    options = parser.parse_args()
    size = options.size
    report: dict[str, Any] = {
        "encryption": encryption(size),
        "masking": masking(size, 10, 20),
        "recovery": recovery(size),
        "memory": memory(10**7 if options.large else size),
    }
    if options.peers:
        theirs = flower(options.peers, size, 10, 20)
        report["flower"] = theirs
        report["masking_ratio"] = theirs["seconds"][str(size)] / report["masking"]["seconds"]
    if options.large:
        report["by_size"] = [masking(n, 10, 20) for n in (10**4, 10**5, 10**6, 10**7)]
        report["encryption_by_size"] = [encryption(n, repeats=1) for n in (10**4, 10**5, 10**6, 10**7)]
        report["by_hospitals"] = [masking(10**6, k, stpc.Parameters.widest(k).bits) for k in (10, 20, 50, 100, 200)]
    json.dump(report, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
