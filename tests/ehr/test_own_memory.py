"""A file larger than memory streams through: the peak follows the patients kept, not the file."""

import subprocess
import sys

import numpy as np
import pandas as pd

PEAK = """
import resource, sys
from bfl_stpc.ehr import own
own.load_table(sys.argv[1], accept=True, patients=500)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_the_peak_does_not_grow_with_the_file(tmp_path):
    rng = np.random.default_rng(0)
    n = 20_000
    frame = pd.DataFrame(rng.normal(size=(n, 20)).round(6), columns=[f"lab_{j}" for j in range(20)])
    frame.insert(0, "hospital", rng.choice(["A", "B"], n))
    frame.insert(1, "died", rng.integers(0, 2, n))
    text = frame.to_csv(index=False)
    body = text.split("\n", 1)[1]
    size, peak = [], []
    for times in (2, 10):
        path = tmp_path / f"{times}.csv"
        with path.open("w") as file:
            file.write(text)
            for _ in range(times - 1):
                file.write(body)
        size.append(path.stat().st_size)
        done = subprocess.run([sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True)
        peak.append(1024 * int(done.stdout))
    # Reading the file whole would take at least its size; 4 bytes a value of every patient about a third of it.
    assert peak[1] - peak[0] < 0.2 * (size[1] - size[0])
