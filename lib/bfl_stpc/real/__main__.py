"""Search for the settings again: `python -m bfl_stpc.real`."""

from bfl_stpc import federated
from bfl_stpc.real.search import SEARCH, search, training_part

if __name__ == "__main__":
    search(training_part()).to_csv(SEARCH, index=False, lineterminator="\n")
    federated.worker.close()
