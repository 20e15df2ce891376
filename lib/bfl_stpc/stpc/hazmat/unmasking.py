"""Removing from an opened sum the masks that did not cancel in it.

Deterministic: anyone who holds the transcript can redo it.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from numpy.typing import NDArray

from bfl_stpc.errors import Corrupt, Foreign, OutOfOrder
from bfl_stpc.stpc.hazmat import masks, shamir
from bfl_stpc.stpc.messages import Directory, UnmaskAnswer, UnmaskRequest, require, seed_commitment


def remove_masks(
    slots: NDArray[np.uint64],
    request: UnmaskRequest,
    directory: Directory,
    answers: Iterable[UnmaskAnswer],
    modulus: int,
) -> NDArray[np.uint64]:
    """Return the uint64 (n,) plain sum modulo t from the masked sum `slots`.

    Every survivor's self mask is removed; a dropped hospital's pair masks with the survivors are undone.
    Each recombined secret is checked against the signed advert of its owner.

    Raises:
        Foreign: the directory is of another round, or an answer comes from outside it.
        OutOfOrder: a hospital answers twice.
        TooFewUploads: fewer answers than the threshold.
        ShareError: shares do not recombine.
        Corrupt: a recombined secret is not the one that its owner advertised.
    """
    ticket = request.ticket
    if directory.ticket != ticket:
        raise Foreign("the directory is of another round than the request")
    given: dict[str, UnmaskAnswer] = {}
    for answer in answers:
        if answer.hospital not in directory.adverts:
            raise Foreign(f"an answer came from {answer.hospital!r}, outside the directory")
        if answer.hospital in given:
            raise OutOfOrder(f"{answer.hospital!r} answers twice")
        given[answer.hospital] = answer
    require(len(given), ticket, "unmasking answers")
    context = ticket.context()
    remove: list[bytes] = []
    put_back: list[bytes] = []
    for name in request.survivors:
        seed = _combine({h: a.seeds.get(name, b"") for h, a in given.items()}, directory)
        if seed_commitment(ticket, name, seed) != directory.adverts[name].seed_commitment:
            raise Corrupt(f"the recombined seed of {name!r} is not the one that it advertised")
        remove.append(masks.self_key(seed, context, name))
    for name in request.dropped:
        private = X25519PrivateKey.from_private_bytes(
            _combine({h: a.keys.get(name, b"") for h, a in given.items()}, directory)
        )
        if private.public_key().public_bytes_raw() != directory.adverts[name].mask_key:
            raise Corrupt(f"the recombined mask key of {name!r} is not the one that it advertised")
        for peer in request.survivors:
            key = masks.pair_key(masks.agree(private, directory.adverts[peer].mask_key), context, name, peer)
            (remove if directory.index(peer) < directory.index(name) else put_back).append(key)
    return masks.apply_masks(slots, plus=put_back, minus=remove, modulus=modulus)


def _combine(shares: Mapping[str, bytes], directory: Directory) -> bytes:
    points = {directory.index(hospital): share for hospital, share in shares.items()}
    return shamir.combine(points, threshold=directory.ticket.threshold)
