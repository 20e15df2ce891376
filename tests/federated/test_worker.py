"""TFF's worker ends with the process that started it, whatever way that ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bfl_stpc.errors import FederatedError
from bfl_stpc.federated import worker

CHILD = """
import signal, sys, time
from bfl_stpc.federated import worker
worker.start()
print(worker.pids()[0], flush=True)
{ending}
"""


def child(ending):
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(ending=ending)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # A test run in the background passes an ignored SIGINT on, and no signal would end the child.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    return process, int(process.stdout.readline())


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pid, seconds=20):
    for _ in range(seconds * 20):
        if not alive(pid):
            return True
        time.sleep(0.05)
    return False


def test_the_count_sees_a_worker_that_lives():
    worker.start()
    assert all(alive(pid) for pid in worker.pids())
    assert len(worker.pids()) == 1


def test_close_ends_it_and_start_brings_another():
    worker.start()
    (before,) = worker.pids()
    worker.close()
    assert gone(before)
    assert worker.pids() == ()
    worker.close()  # a second time does nothing
    worker.start()
    assert worker.pids()[0] != before


def test_another_thread_may_not_start_it():
    worker.close()
    refused = []

    def attempt():
        try:
            worker.start()
        except FederatedError as error:
            refused.append(str(error))

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert "main thread" in refused[0]


def test_without_setpriv_it_says_so(monkeypatch):
    worker.close()
    monkeypatch.setattr(worker.shutil, "which", lambda _: None)
    with pytest.warns(RuntimeWarning, match="setpriv"):
        worker.start()
    (pid,) = worker.pids()
    worker.close()
    assert gone(pid)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["pass", "raise RuntimeError", "sys.exit(3)"], ids=["normal", "exception", "exit"])
def test_none_is_left_after_an_exit(ending):
    process, pid = child(ending)
    process.wait(timeout=60)
    assert gone(pid)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_none_is_left_after_a_signal(number):
    process, pid = child("time.sleep(600)")
    assert alive(pid)
    os.kill(process.pid, number)
    process.wait(timeout=60)
    assert process.stdout.read() == ""  # its pipe is free: the worker never held it
    assert gone(pid)


@pytest.mark.slow
def test_an_ignored_interrupt_hangs_neither_closing_nor_the_end():
    code = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + CHILD.format(ending="worker.close()")
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    pid = int(process.stdout.readline())
    process.wait(timeout=60)
    assert gone(pid)
