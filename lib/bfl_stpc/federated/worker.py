"""TFF's C++ worker, guarded: it never outlives the process that started it.

`worker_binary`, which TFF starts at the first computation, survives its parent in every kind of exit
and holds its standard output open. Here it is started through `setpriv --pdeathsig KILL`
(util-linux; PR_SET_PDEATHSIG of prctl(2)) with its standard streams on /dev/null, so that the kernel
ends it with its parent, even after SIGKILL.
"""

from __future__ import annotations

import atexit
import gc
import shutil
import signal
import subprocess
import sys
import threading
import types
import warnings
import weakref
from typing import TYPE_CHECKING, Any

from bfl_stpc.errors import FederatedError
from bfl_stpc.lazy import Lazy

if TYPE_CHECKING:
    import tensorflow_federated as tff
    from tensorflow_federated.python.core.impl.context_stack import context_stack_impl, runtime_error_context
    from tensorflow_federated.python.core.impl.executor_stacks import executor_factory
else:
    tff = Lazy("tensorflow_federated")
    context_stack_impl = Lazy("tensorflow_federated.python.core.impl.context_stack.context_stack_impl")
    runtime_error_context = Lazy("tensorflow_federated.python.core.impl.context_stack.runtime_error_context")
    executor_factory = Lazy("tensorflow_federated.python.core.impl.executor_stacks.executor_factory")

_workers: weakref.WeakSet[GuardedPopen] = weakref.WeakSet()
_started = False


class GuardedPopen(subprocess.Popen):
    """A `Popen` whose process the kernel kills when the thread that created it ends; its streams are closed."""

    def __init__(self, args: list[str], **_: Any) -> None:
        setpriv = shutil.which("setpriv")
        guard = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
        closed = subprocess.DEVNULL
        super().__init__(guard + args, stdin=closed, stdout=closed, stderr=closed)
        _workers.add(self)


def start() -> None:
    """Make the guarded worker TFF's default context and start it; does nothing while it runs.

    Every function of `federated` that computes calls it. Where setpriv is missing, a RuntimeWarning
    says that the worker is ended at normal exits only.

    Raises:
        FederatedError: called outside the main thread: the kernel would end the worker with that thread.
    """
    global _started
    if _started:
        return
    if threading.current_thread() is not threading.main_thread():
        raise FederatedError("TFF's worker starts in the main thread only: call federated.worker.start() there first")
    if shutil.which("setpriv") is None:
        warnings.warn(
            "setpriv (util-linux) is missing: TFF's worker_binary is ended at normal exits, "
            "but survives if this process is killed",
            RuntimeWarning,
            stacklevel=2,
        )
    executor_factory.subprocess = types.SimpleNamespace(Popen=GuardedPopen)
    tff.backends.native.execution_contexts.set_sync_local_cpp_execution_context()
    _started = True
    # A worker inherits an ignored SIGINT (nohup, background jobs, Jupyter kernels between cells), and TFF ends its
    # worker by SIGINT: it would wait for ever. The handler is put back, since a kernel relies on its own.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _warm_up()
    finally:
        signal.signal(signal.SIGINT, handler)


def _warm_up() -> None:
    """Run one trivial computation, so that this thread, the main one, is the worker's creator."""

    @tff.tensorflow.computation
    def zero() -> Any:
        return 0

    zero()


def close() -> None:
    """End the worker; a later computation through `start` starts another one. Does nothing if none runs."""
    global _started
    if "tensorflow_federated" not in sys.modules:
        return
    _started = False
    context_stack_impl.context_stack.set_default_context(runtime_error_context.create_runtime_error_context())
    gc.collect()
    for process in list(_workers):  # whatever a reference elsewhere kept alive
        process.kill()
        process.wait()
    _workers.clear()


# Even unused, a context that lives into the interpreter's end makes TFF complain there.
atexit.register(close)


def pids() -> tuple[int, ...]:
    """Return the process ids of the workers that run now."""
    return tuple(process.pid for process in list(_workers) if process.poll() is None)
