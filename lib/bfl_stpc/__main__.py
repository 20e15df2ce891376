"""The commands behind the Makefile: `python -m bfl_stpc COMMAND`."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from bfl_stpc.errors import BflError


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(prog="python -m bfl_stpc", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    for name, says in (
        ("reproduce", "run every notebook that is out of date"),
        ("verify", "hold every claim beside what was measured, and every result beside the reference"),
        ("figures", "draw all figures again from their recorded data"),
        ("reference", "keep the results and times of a profile as the committed reference"),
        ("diff", "show what changed since a git revision"),
        ("explain", "tell where a figure comes from"),
        ("paper-assets", "collect figures, tables, numbers and captions for a paper"),
        ("archive", "pack sources, results and figures as an RO-Crate"),
        ("book", "build the static book from the executed notebooks"),
    ):
        command = commands.add_parser(name, help=says)
        command.add_argument("--profile", default="quick")
        if name == "reproduce":
            command.add_argument("--jobs", default="", help="notebooks to run at once; the number of cores if empty")
        if name in ("reproduce", "book"):
            command.add_argument("only", nargs="*", help="notebooks, by name or number; what they need runs first")
            command.add_argument("--data", default="", help="a table of one's own, to be studied instead")
            command.add_argument("--accept", action="store_true", help="take its mapping without confirmation")
        if name == "diff":
            command.add_argument("--base", default="", help="commit, branch or tag")
        if name == "explain":
            command.add_argument("--figure", default="", help="its name, or how it begins")
    commands.add_parser("doctor", help="check this machine")
    commands.add_parser("artifact", help="bring the generated parts of README.md and docs/ARTIFACT.md up to date")
    table = commands.add_parser("table", help="propose a mapping of a table of one's own, and check the table")
    table.add_argument("data", help="CSV or Parquet file, or a folder of a Synthea export or of FHIR bundles")
    table.add_argument("--hospital", help="its column, where no name tells it")
    table.add_argument("--label", help="its column; of a folder, the code of the condition to predict")
    table.add_argument("--at", help="of a folder: the day before which readings are inputs")
    strip = commands.add_parser("strip", help="remove outputs from the notebooks")
    strip.add_argument("--check", action="store_true", help="change nothing; fail where a notebook holds outputs")
    return top


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Carry out one command; return the exit status."""
    # Each command imports what it needs: a redraw must not wait for papermill, nor a dry run for TensorFlow.
    if arguments.command == "doctor":
        from bfl_stpc import doctor

        return doctor.examine(console)
    if arguments.command == "artifact":
        from bfl_stpc.study import artifact

        console.print(f"brought up to date: {', '.join(artifact.write()) or 'nothing'}")
    elif arguments.command == "table":
        from bfl_stpc.study import own

        asked = {name: getattr(arguments, name) or None for name in ("hospital", "label", "at")}
        own.propose(own.check_data(arguments.data), console, **asked)
    elif arguments.command == "reproduce" and arguments.data:
        from bfl_stpc.study import own

        own.reproduce(own.check_data(arguments.data), arguments.profile, accept=arguments.accept, console=console)
    elif arguments.command == "reproduce":
        from bfl_stpc.study import runner, schedule

        jobs = schedule.jobs_from(arguments.jobs)
        runner.reproduce(arguments.profile, only=arguments.only, jobs=jobs, console=console)
    elif arguments.command == "verify":
        from bfl_stpc.study import claims, comparison

        claims.report(claims.verify(arguments.profile), arguments.profile, console)
        comparison.verify(arguments.profile, console)
    elif arguments.command == "figures":
        from bfl_stpc.study import redraw

        names = redraw.redraw_stale(arguments.profile, everything=True)
        console.print(f"drew {len(names)} figures in figures/{arguments.profile}")
    elif arguments.command == "reference":
        from bfl_stpc.study import artifact, reference

        console.print(f"wrote {reference.keep(arguments.profile)}")
        console.print(f"brought up to date: {', '.join(artifact.write()) or 'nothing'}")
    elif arguments.command == "diff":
        from bfl_stpc.study import difference, paths

        console.print(f"wrote {paths.relative(difference.report(arguments.profile, arguments.base, console))}")
    elif arguments.command == "explain":
        from bfl_stpc.study import explain

        console.print(explain.explain(arguments.figure, arguments.profile), markup=False)
    elif arguments.command == "paper-assets":
        from bfl_stpc.study import paper_assets, paths

        console.print(f"wrote {paths.relative(paper_assets.collect(arguments.profile))}")
    elif arguments.command == "archive":
        from bfl_stpc.study import archive, paths

        console.print(f"wrote {paths.relative(archive.write(arguments.profile, console))}")
    elif arguments.command == "book":
        from bfl_stpc.book import site

        console.print(f"the book begins at {site.build(arguments.profile, only=arguments.only)}")
    else:
        from bfl_stpc.study import stripped

        return stripped.main(check=arguments.check, console=console)
    return 0


def main() -> int:
    """Run the command line; return the exit status."""
    # A log has no width: only a terminal that is there wraps tables.
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 120)
    try:
        return run(parser().parse_args(), console)
    except BflError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: notebooks that had finished are kept; run the command again to go on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
