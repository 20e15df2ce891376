"""Time one client's masking with Flower's SecAgg+ (group `peers`); run by bench_stpc.py in the peers' environment.

Calls Flower's own functions in the order of its client mod: quantise, private mask, one pair mask a peer, modulus.
Prints JSON: CPU seconds by vector size, bytes a parameter, and the number of distinct mask seeds.
"""

import json
import os
import sys
import time

import numpy as np
from flwr.common.secure_aggregation.ndarrays_arithmetic import (
    factor_combine,
    parameters_addition,
    parameters_mod,
    parameters_subtraction,
)
from flwr.common.secure_aggregation.quantization import quantize
from flwr.common.secure_aggregation.secaggplus_utils import pseudo_rand_gen


def mask(vector: np.ndarray, seeds: list[bytes], bits: int) -> bytes:
    """Return the masked bytes of `vector`, with one private and len(seeds) - 1 pair masks."""
    modulus = 1 << (bits + (len(seeds) - 1).bit_length())
    masked = factor_combine(1, quantize([vector], 1.0, (1 << bits) - 1))
    shapes = [a.shape for a in masked]
    for i, seed in enumerate(seeds):
        step = parameters_subtraction if i % 2 else parameters_addition
        masked = step(masked, pseudo_rand_gen(seed, modulus, shapes))
    return b"".join(a.tobytes() for a in parameters_mod(masked, modulus))


def main() -> None:
    """Measure the sizes given on the command line, for `hospitals` and `bits`."""
    hospitals, bits, repeats, *sizes = map(int, sys.argv[1:])
    seconds, payload = {}, 0
    for size in sizes:
        vector = np.random.default_rng(0).uniform(-1, 1, size)
        seeds = [os.urandom(32) for _ in range(hospitals)]
        times = []
        for _ in range(repeats):
            start = time.process_time()
            payload = len(mask(vector, seeds, bits)) / size
            times.append(time.process_time() - start)
        seconds[size] = min(times)
    print(json.dumps({"seconds": seconds, "bytes_per_parameter": payload, "seeds": 2**32}))


if __name__ == "__main__":
    main()
