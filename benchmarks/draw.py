"""Draw the benchmark of the federated round again from its JSON, and say what the figures show.

    python benchmarks/draw.py build/bench/federated.json

Each figure goes beside the JSON as PDF, SVG and PNG, its caption as TXT; the captions are printed too.
"""

import argparse
import json
from pathlib import Path

from bfl_stpc.figures import bench
from bfl_stpc.figures.render import draw


def main() -> None:
    """Draw, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="what bench_federated.py printed")
    path: Path = parser.parse_args().results
    found = json.loads(path.read_text())
    compared = {"seconds": found["seconds, by quartiles"], "cpu": found["CPU seconds"]}
    figures = {
        "peers": (compared, bench.peers_caption(found["ratios, by quartiles"], found["ratios of CPU time"])),
        "parts": ({"cpu": found["CPU seconds by part"]}, bench.parts_caption(found["CPU seconds by part"])),
        "cost_curves": (found["scaling"], bench.cost_caption(found["scaling"])),
    }
    for name, (data, caption) in figures.items():
        for kind, content in draw(f"bfl_stpc.figures.bench:{name}", data).items():
            path.with_name(f"{path.stem}_{name}.{kind}").write_bytes(content)
        path.with_name(f"{path.stem}_{name}.txt").write_text(caption + "\n")
        print(caption, end="\n\n")


if __name__ == "__main__":
    main()
