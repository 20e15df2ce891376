"""What crosses between roles, as bytes: CBOR (RFC 8949), and nothing that could run code when it is read.

A record travels as tag 27 (a type name and its fields), a vector as a typed array (RFC 8746). Only the types listed
here are read, and every field must have the type that its class declares, down to the last byte string.
"""

from __future__ import annotations

import enum
import io
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

import cbor2
import numpy as np

from bfl_stpc import stpc
from bfl_stpc.errors import Corrupt
from bfl_stpc.ledger import Approval, Result
from bfl_stpc.privacy import Spent
from bfl_stpc.stpc import messages, party
from bfl_stpc.system.meter import Step
from bfl_stpc.ticket import Ticket

OBJECT = 27  # IANA: type name and constructor arguments
ARRAYS: dict[int, np.dtype[Any]] = {71: np.dtype("<u8"), 85: np.dtype("<f4"), 86: np.dtype("<f8")}  # RFC 8746
_TAGS = {dtype: tag for tag, dtype in ARRAYS.items()}
_known: dict[str, type] = {}


def travels(kind: type) -> type:
    """Let the dataclass `kind` cross between roles. Use as a decorator."""
    _known[kind.__name__] = kind
    return kind


for _kind in (
    Ticket,
    Approval,
    Result,
    Spent,
    Step,
    stpc.Parameters,
    messages.Advert,
    messages.Directory,
    messages.SealedShares,
    messages.Upload,
    messages.Aggregate,
    messages.UnmaskRequest,
    messages.UnmaskAnswer,
    messages.Total,
    party.RoundSecrets,
):
    travels(_kind)


def encode(value: Any) -> bytes:
    """Return the bytes of `value`: numbers, text, bytes, vectors, listed records, and tuples and mappings of these.

    Raises:
        TypeError: something else is inside; it may not travel.
    """
    return cbor2.dumps(value, default=_tagged)


def decode(data: bytes, kind: Any) -> Any:
    """Return the value of type `kind` that `data` holds.

    Raises:
        Corrupt: the bytes are no CBOR, hold a type that may not travel, or are not a `kind`.
    """
    stream = io.BytesIO(data)
    try:
        value = cbor2.CBORDecoder(
            stream, tag_hook=_untagged, allow_indefinite=False, allow_duplicate_keys=False, strict_hashable_types=True
        ).decode()
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Corrupt(f"these bytes are not a message: {error.__cause__ or error}") from error
    if stream.read(1):
        raise Corrupt("bytes follow the end of the message")
    return fit(value, kind)


def fit(value: Any, kind: Any) -> Any:
    """Return `value` as a `kind`: lists become tuples, enumerations their members, records are checked field by field.

    Raises:
        Corrupt: it is something else.
    """
    if type(value) is kind:
        return value
    origin, arguments = _parts(kind)
    if origin is np.ndarray:
        wanted = np.dtype(typing.get_args(arguments[1])[0])
        if isinstance(value, np.ndarray) and value.dtype == wanted:
            return value
    elif origin is tuple and isinstance(value, list | tuple):
        if len(arguments) == 2 and arguments[1] is ...:
            return tuple(fit(v, arguments[0]) for v in value)
        if len(value) == len(arguments):
            return tuple(fit(v, a) for v, a in zip(value, arguments))
    elif isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, Mapping):
        return {fit(k, arguments[0]): fit(v, arguments[1]) for k, v in value.items()}
    elif origin in (typing.Union, types.UnionType):
        return None if value is None and type(None) in arguments else fit(value, arguments[0])
    elif isinstance(kind, type) and issubclass(kind, enum.Enum):
        if value in {member.value for member in kind}:
            return kind(value)
    elif kind is float and isinstance(value, float | int) and not isinstance(value, bool):
        return float(value)
    elif kind is Any:
        return value
    name = kind.__name__ if isinstance(kind, type) else str(kind)
    raise Corrupt(f"a {type(value).__name__} stands where {name} belongs")


def _tagged(encoder: cbor2.CBOREncoder, value: Any) -> None:
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype in _TAGS:
        encoder.encode(cbor2.CBORTag(_TAGS[value.dtype], np.ascontiguousarray(value).data.tobytes()))
    elif isinstance(value, enum.Enum):
        encoder.encode(value.value)
    elif isinstance(value, Mapping):
        encoder.encode(dict(value))
    elif is_dataclass(value) and type(value).__name__ in _known:
        kind: Any = type(value)
        encoder.encode(cbor2.CBORTag(OBJECT, [kind.__name__, *(getattr(value, name) for name in _declared(kind))]))
    else:
        raise TypeError(f"a {type(value).__name__} may not travel between roles")


def _untagged(tag: cbor2.CBORTag, _: bool) -> Any:
    if tag.tag in ARRAYS and isinstance(tag.value, bytes) and len(tag.value) % ARRAYS[tag.tag].itemsize == 0:
        return np.frombuffer(tag.value, ARRAYS[tag.tag])
    if tag.tag == OBJECT and isinstance(tag.value, list | tuple) and tag.value and isinstance(tag.value[0], str):
        kind = _known.get(tag.value[0])
        if kind is not None and len(tag.value) == 1 + len(_declared(kind)):
            values = (fit(v, a) for v, a in zip(tag.value[1:], _declared(kind).values()))
            return kind(*values)
    raise Corrupt(f"tag {tag.tag} is not one that travels between roles")


@cache
def _parts(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    return typing.get_origin(kind), typing.get_args(kind)


@cache
def _declared(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {f.name: hints[f.name] for f in fields(kind) if f.init}
