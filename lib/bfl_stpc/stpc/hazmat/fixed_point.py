"""Real vectors as integers modulo t: fixed point, then several fields packed into one slot.

An update x becomes q = round(x / step) + L per parameter, an integer in 0 ... 2L, so that zero is exact and
sums decode by subtracting the number of summands times L. Fields stand side by side in one slot,
each wide enough for the sum over all hospitals: nothing carries into a neighbour and addition is exact.
"""

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.errors import UpdateError
from bfl_stpc.stpc.parameters import Parameters, Rounding

Slots = NDArray[np.uint64]


def quantise(update: NDArray[np.floating], params: Parameters, *, rounding_seed: int | None = None) -> Slots:
    """Return the fixed-point fields of `update`, uint64 (d,), each within 0 ... 2L.

    Args:
        update: real vector (d,), every |value| at most `params.clip`.
        params: the parameters of the study.
        rounding_seed: seed of stochastic rounding; given exactly when `params.rounding` is `STOCHASTIC`.

    Raises:
        UpdateError: wrong shape, a value that is not finite or beyond the clip, or a seed that does not fit.
    """
    x = np.asarray(update, dtype=np.float64)
    if x.ndim != 1 or x.size == 0:
        raise UpdateError(f"an update is one vector of at least one value; this has shape {x.shape}: flatten it")
    if not np.isfinite(x).all():
        raise UpdateError(f"value {int(np.flatnonzero(~np.isfinite(x))[0])} of the update is not finite")
    largest = float(np.abs(x).max())
    if largest > params.clip:
        raise UpdateError(f"a value of {largest:.6g} exceeds the clip {params.clip:.6g}: clip before protecting")
    if (rounding_seed is not None) != (params.rounding is Rounding.STOCHASTIC):
        raise UpdateError(f"rounding is {params.rounding.value}: rounding_seed belongs to stochastic rounding only")
    scaled = x / params.step
    if rounding_seed is None:
        whole = np.rint(scaled)
    else:
        whole = np.floor(scaled + np.random.Generator(np.random.PCG64(rounding_seed)).random(x.size))
    return (np.clip(whole, -params.levels, params.levels) + params.levels).astype(np.uint64)


def pack(fields: Slots, params: Parameters) -> Slots:
    """Pack uint64 (d,) fields into uint64 (ceil(d / fields),) slots; the last is padded with zeros."""
    count, width = params.fields, params.field_width
    rows = np.zeros(-(-fields.size // count) * count, dtype=np.uint64)
    rows[: fields.size] = fields
    columns = rows.reshape(-1, count)
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
) -> Slots:
    """Return the slots of an update and, in the last slot, its record count: uint64 (params.slots(d),).

    Raises:
        UpdateError: see `quantise`; or `records` is outside 1 ... `params.max_records`.
    """
    if not 1 <= records <= params.max_records:
        raise UpdateError(f"{records} records: the parameters allow 1 to {params.max_records}")
    packed = pack(quantise(update, params, rounding_seed=rounding_seed), params)
    return np.append(packed, np.uint64(records))


def decode(slots: Slots, size: int, summands: int, params: Parameters) -> tuple[NDArray[np.float64], int]:
    """Return (real sum (size,), summed record count) of `summands` encoded updates; inverse of `encode`."""
    return dequantise(unpack(slots[:-1], size, params), summands, params), int(slots[-1])
