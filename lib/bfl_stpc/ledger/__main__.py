"""Review an exported audit trail: `python -m bfl_stpc.ledger trail.json`."""

import argparse
import sys
from pathlib import Path

from bfl_stpc.errors import BflError
from bfl_stpc.ledger.review import read


def main() -> int:
    """Verify the file, print who did what, and return 0; print the first fault and return 1."""
    parser = argparse.ArgumentParser(
        prog="bfl_stpc.ledger", description="Who read what, when, why and by which consent."
    )
    parser.add_argument("trail", type=Path, help="file written by bfl_stpc.ledger.review.export")
    parser.add_argument("--record", default="", help="only records whose pseudonym begins with this (hexadecimal)")
    parser.add_argument("--actor", help="only this hospital")
    options = parser.parse_args()
    try:
        findings = read(options.trail)
    except (BflError, OSError) as error:
        print(f"{options.trail}: {error}", file=sys.stderr)
        return 1
    shown = [
        f
        for f in findings
        if f.entry.record.hex().startswith(options.record) and options.actor in (None, f.entry.actor)
    ]
    for finding in shown:
        print(finding.line())
    print(f"{len(findings)} entries verified, {len(shown)} shown; acts that nobody reported are not in any trail")
    return 0


if __name__ == "__main__":
    sys.exit(main())
