"""Print the Makefile's targets, with the times that were measured for them (data/reference/times.json)."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Print one line a target."""
    measured = json.loads((ROOT / "data" / "reference" / "times.json").read_text())
    print(f"make TARGET [PROFILE=smoke|quick|paper]     times measured on {measured['machine']}\n")
    for line in (ROOT / "Makefile").read_text().splitlines():
        if match := re.match(r"(\w[\w-]*):[^#]*##\s*(.*)", line):
            target, says = match.groups()
            print(f"  {target:<13} {measured['targets'].get(target, ''):>16}  {says}")


if __name__ == "__main__":
    main()
