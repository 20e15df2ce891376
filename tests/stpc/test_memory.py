"""Protection streams: its memory is that of the upload, however large the update."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bfl_stpc import stpc
from bfl_stpc.ticket import Ticket


def status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(field))) * 1024


def peak_of_protect(size: int) -> float:
    """Peak memory added by `protect`, its upload included, in units of the float32 update."""
    params, board = stpc.Parameters(hospitals=3), stpc.Bulletin()
    ticket = Ticket(1, b"m" * 32, 1, b"c" * 20, ("a", "b", "c"), 2)
    parties = [stpc.Party(n, params, attest=board.read) for n in ticket.members]
    authority = stpc.KeyAuthority(params, attest=board.read)
    directory = stpc.set_up(parties, ticket, {p.name: p.identity for p in parties})
    update = np.random.default_rng(0).random(size, dtype=np.float32)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = status("VmRSS")
    upload = parties[0].protect(update, ticket, directory, authority.public_key, records=1)
    assert len(upload.payload) < 8.1 * size
    return (status("VmHWM") - before) / update.nbytes


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from Linux's /proc")
def test_ten_million_parameters_take_at_most_three_times_their_vector():
    # In a process of its own: this one's memory holds what other tests left behind.
    measured = subprocess.run([sys.executable, __file__, str(10**7)], capture_output=True, text=True, check=False)
    assert measured.returncode == 0, measured.stderr
    assert 1.0 < float(measured.stdout) <= 3.0


if __name__ == "__main__":
    print(peak_of_protect(int(sys.argv[1])))
