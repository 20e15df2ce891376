"""Command line: `python -m bfl_stpc.ehr datasheet` and `python -m bfl_stpc.ehr fhir FOLDER`."""

import argparse
import sys
from pathlib import Path

from bfl_stpc.ehr import CohortConfig, datasheet, export_fhir, generate
from bfl_stpc.errors import BflError


def main() -> int:
    """Run one command; return 1 with a message on an error."""
    parser = argparse.ArgumentParser(prog="python -m bfl_stpc.ehr", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("datasheet", help="print the datasheet of the default cohort")
    fhir = commands.add_parser("fhir", help="export the default cohort as FHIR R4 bundles, one file a patient")
    fhir.add_argument("folder", type=Path, help="new folder to write to")
    fhir.add_argument("--limit", type=int, default=100, help="number of patients (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        cohort = generate(CohortConfig())
        if arguments.command == "datasheet":
            sys.stdout.write(datasheet(cohort))
        else:
            count = export_fhir(cohort, arguments.folder, arguments.limit)
            print(f"{count} bundles written to {arguments.folder}")
    except BflError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
