"""TFF's C++ worker under guard: it dies with the process that started it, whatever way that ends.

TFF 0.87 runs computations in a separate `worker_binary`. Left alone it outlives its parent and holds the parent's
standard output open. TFF starts it through the `subprocess` name of its executor factory; this module puts a guarded
Popen in that place, before the first computation.
"""

from __future__ import annotations

import gc
import shutil
import signal
import subprocess
import threading
import types
import warnings
from collections.abc import Sequence
from typing import Any

import tensorflow_federated as tff
from tensorflow_federated.python.core.impl.executor_stacks import executor_factory

SETPRIV = shutil.which("setpriv")  # of util-linux


class GuardedPopen(subprocess.Popen):
    """A child that the kernel kills when the thread that started it ends, and that holds none of our streams."""

    def __init__(self, args: Sequence[str], **_: Any) -> None:
        guard = [SETPRIV, "--pdeathsig", "KILL"] if SETPRIV else []
        quiet: dict[str, Any] = {stream: subprocess.DEVNULL for stream in ("stdin", "stdout", "stderr")}
        super().__init__([*guard, *args], **quiet)


def install() -> None:
    """Guard TFF's worker and start a context for it; call it in the main thread, before the first computation.

    Warns where setpriv is missing: the worker then ends with `close` or a normal exit, but survives a SIGKILL.
    """
    if isinstance(executor_factory.subprocess, types.SimpleNamespace):
        return
    if SETPRIV is None:
        warnings.warn(
            "setpriv (util-linux) is missing: should this process be killed, end TFF's worker_binary by hand",
            RuntimeWarning,
            stacklevel=2,
        )
    main = threading.current_thread() is threading.main_thread()
    if main and signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # Under nohup SIGINT is ignored, the worker inherits that, and TFF would wait for it for ever.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    executor_factory.subprocess = types.SimpleNamespace(Popen=GuardedPopen)
    tff.backends.native.set_sync_local_cpp_execution_context()


def close() -> None:
    """Stop the worker; the next computation starts another."""
    tff.backends.native.set_sync_local_cpp_execution_context()
    gc.collect()
