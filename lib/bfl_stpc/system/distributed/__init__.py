"""The same roles on many machines: each in a process of its own, placed by Ray, with its own disk and its own keys.

Ray starts the processes and carries sealed bytes; it is trusted with neither. A role greets, seals and refuses exactly
as in one process (`wire`, `service`), and nothing that is secret is handed to Ray: keys are made inside the role's
process and kept in its own folder, where its records lie too.

Whoever may submit to a Ray cluster may start code on its machines, so its ports must be closed to others (Ray's TLS, or
a private network); see deploy/README.md. Here the driver passes the cards round. In a deployment they are exchanged out
of band, as certificates are; each card is signed by the account that the ledger registers for the hospital, and every
role compares the two.
"""

import logging
import os
import warnings

# Before Ray is imported: it tells nobody that it runs, measures nothing, and is silent but for its exceptions.
for _name, _value in {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_enable_open_telemetry": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_prestart_worker_first_driver": "0",  # the driver waited for idle workers, once in vain
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # there are no accelerators to hide
}.items():
    os.environ.setdefault(_name, _value)
logging.getLogger("ray.widgets.util").setLevel(logging.ERROR)  # it would like ipywidgets
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="IProgress not found")  # so would tqdm, which Ray imports
    import ray  # noqa: F401

from bfl_stpc.system.distributed.consortium import DistributedConsortium, found  # noqa: E402
from bfl_stpc.system.distributed.partition import read_partition, write_partition  # noqa: E402
from bfl_stpc.system.distributed.transport import RayTransport  # noqa: E402

__all__ = ["DistributedConsortium", "RayTransport", "found", "read_partition", "write_partition"]
