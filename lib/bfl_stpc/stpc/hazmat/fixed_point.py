"""Real vectors as integers modulo t: fixed point, then several fields packed into one slot.

An update x becomes q = round(x / step) + L per parameter, an integer in 0 ... 2L, so that zero is exact and
sums decode by subtracting the number of summands times L. Fields stand side by side in one slot,
each wide enough for the sum over all hospitals: nothing carries into a neighbour and addition is exact.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.errors import Corrupt, UpdateError
from bfl_stpc.stpc.hazmat.masks import CHUNK
from bfl_stpc.stpc.parameters import Parameters, Rounding, Weighting

Slots = NDArray[np.uint64]


def check(update: NDArray[np.floating], records: int, params: Parameters, rounding_seed: int | None) -> None:
    """Check everything about an update before any of it is encoded; no copy is made.

    Raises:
        UpdateError: not one floating vector, a value that is not finite or beyond the clip, a record count outside
            1 ... `params.max_records`, or a rounding seed that is missing or not wanted.
    """
    if update.ndim != 1 or update.size == 0 or not np.issubdtype(update.dtype, np.floating):
        raise UpdateError(
            f"an update is one vector of floats; this is {update.dtype} of shape {update.shape}: flatten it"
        )
    low, high = float(update.min()), float(update.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise UpdateError(f"value {int(np.flatnonzero(~np.isfinite(update))[0])} of the update is not finite")
    if max(-low, high) > params.clip:
        raise UpdateError(f"a value of {max(-low, high):.6g} exceeds the clip {params.clip:.6g}: clip the update first")
    if not 1 <= records <= params.max_records:
        raise UpdateError(f"{records} records: the parameters allow 1 to {params.max_records}")
    if (rounding_seed is not None) != (params.rounding is Rounding.STOCHASTIC):
        raise UpdateError(f"rounding is {params.rounding.value}: rounding_seed belongs to stochastic rounding only")


def quantise(values: NDArray[np.floating], params: Parameters, *, rng: np.random.Generator | None = None) -> Slots:
    """Return the fixed-point fields of checked real `values`, uint64 (d,), each within 0 ... 2L.

    Rounds to the nearest level (ties to even), or, given `rng`, up or down at random without bias.
    """
    scaled = np.divide(values, params.step, dtype=np.float64)
    if rng is None:
        np.rint(scaled, out=scaled)
    else:
        np.floor(np.add(scaled, rng.random(scaled.size), out=scaled), out=scaled)
        np.minimum(scaled, params.levels, out=scaled)  # a value at the clip may be pushed over it by the last bit
    scaled += params.levels
    return scaled.astype(np.uint64)


def pack(fields: Slots, params: Parameters) -> Slots:
    """Pack uint64 (d,) fields into uint64 (ceil(d / fields),) slots; the last is padded with zeros."""
    count, width = params.fields, params.field_width
    missing = -fields.size % count
    columns = (np.pad(fields, (0, missing)) if missing else fields).reshape(-1, count)
    slots = columns[:, 0].copy()
    for i in range(1, count):
        slots |= columns[:, i] << np.uint64(width * i)
    return slots


def unpack(slots: Slots, size: int, params: Parameters) -> Slots:
    """Return the uint64 (size,) field sums inside `slots`; inverse of `pack` for sums of up to `hospitals` vectors."""
    count, width = params.fields, params.field_width
    columns = np.empty((slots.size, count), dtype=np.uint64)
    for i in range(count):
        columns[:, i] = (slots >> np.uint64(width * i)) & np.uint64((1 << width) - 1)
    return columns.reshape(-1)[:size]


def dequantise(sums: Slots, summands: int, params: Parameters) -> NDArray[np.float64]:
    """Return the float64 (d,) real sums of `summands` quantised updates, from their uint64 field sums."""
    return (sums.astype(np.int64) - summands * params.levels).astype(np.float64) * params.step


def encode(
    update: NDArray[np.floating], records: int, params: Parameters, *, rounding_seed: int | None = None
) -> Iterator[Slots]:
    """Yield the slots of an update, CHUNK at a time, and in the very last slot its record count.

    Under `Weighting.RECORDS` the update is scaled by records / max_records first.

    Raises:
        UpdateError: see `check`; before anything is yielded.
    """
    check(update, records, params, rounding_seed)
    rng = None if rounding_seed is None else np.random.Generator(np.random.PCG64(rounding_seed))
    weight = records / params.max_records if params.weighting is Weighting.RECORDS else 1.0
    count = np.array([records], dtype=np.uint64)
    stride = params.fields * CHUNK
    for start in range(0, update.size, stride):
        part = update[start : start + stride]
        slots = pack(quantise(part if weight == 1.0 else part * np.float64(weight), params, rng=rng), params)
        if start + stride < update.size:
            yield slots
        elif slots.size < CHUNK:
            yield np.concatenate([slots, count])
        else:
            yield slots
            yield count


def decode(slots: Slots, size: int, summands: int, params: Parameters) -> tuple[NDArray[np.float64], int]:
    """Return (real sum (size,), summed record count) of `summands` encoded updates; inverse of `encode`.

    Raises:
        Corrupt: a field lies outside the range of any such sum: a mask was not removed, or a hospital cheated.
    """
    sums, records = unpack(slots[:-1], size, params), int(slots[-1])
    full = int(slots[:-1].max()) >> (params.field_width * params.fields)
    if (
        full
        or int(sums.max()) > 2 * params.levels * summands
        or not summands <= records <= summands * params.max_records
    ):
        raise Corrupt(f"the opened values are not a sum of {summands} updates")
    return dequantise(sums, summands, params), records
