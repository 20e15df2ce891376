"""Search for the baselines' settings again: `python -m bfl_stpc.baselines`."""

from bfl_stpc import federated
from bfl_stpc.baselines.search import SEARCH, search

if __name__ == "__main__":
    search().to_csv(SEARCH, index=False, lineterminator="\n")
    federated.worker.close()
