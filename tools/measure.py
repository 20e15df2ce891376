"""Time `make TARGET` and keep the result for `make help`: python3 tools/measure.py "reproduce PROFILE=quick" ...

Times are those of this machine at this moment; they tell a reader whether to wait or to fetch a coffee.
"""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

TIMES = Path(__file__).resolve().parents[1] / "data" / "reference" / "times.json"


def main(commands: list[str]) -> int:
    """Time each command; return 1 at the first that fails, with the times before it kept."""
    known = json.loads(TIMES.read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    known["machine"] = f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}"
    for command in commands:
        target, *given = command.split()
        started = time.monotonic()
        if subprocess.run(["make", *command.split()], check=False).returncode != 0:
            print(f"measure: make {command} failed, so its time is not kept", file=sys.stderr)
            return 1
        seconds = round(time.monotonic() - started)
        taken = f"{seconds // 60} min {seconds % 60:02d} s" if seconds >= 60 else f"{seconds} s"
        known["targets"][command] = taken
        if not given or given == ["PROFILE=quick"]:
            known["targets"][target] = taken  # what `make help` shows
        temporary = TIMES.with_suffix(".new")
        temporary.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
        temporary.replace(TIMES)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
