"""The same roles on many machines: each in a process of its own, placed by Ray, with its own disk and its own keys.

Ray starts the processes and carries sealed bytes; it is trusted with neither. A role greets, seals and refuses exactly
as in one process (`wire`, `service`), and nothing that is secret is handed to Ray: keys are made inside the role's
process and kept in its own folder, where its records lie too.

Whoever may submit to a Ray cluster may start code on its machines, so its ports must be closed to others (Ray's TLS, or
a private network); see deploy/README.md. Here the driver passes the cards round. In a deployment they are exchanged out
of band, as certificates are; each card is signed by the account that the ledger registers for the hospital, and every
role compares the two.
"""

import os

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # before Ray is imported: it tells nobody that it runs
os.environ.setdefault("RAY_enable_metrics_collection", "0")
os.environ.setdefault("RAY_enable_open_telemetry", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # there are no accelerators to hide

from bfl_stpc.system.distributed.consortium import DistributedConsortium, found
from bfl_stpc.system.distributed.partition import read_partition, write_partition
from bfl_stpc.system.distributed.transport import RayTransport

__all__ = ["DistributedConsortium", "RayTransport", "found", "read_partition", "write_partition"]
