"""What a coalition of roles holds of one hospital's update, and what gradient inversion reads in it."""

from collections.abc import Iterable, Mapping

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from numpy.typing import NDArray

from bfl_stpc.stpc.authority import KeyAuthority
from bfl_stpc.stpc.hazmat import bfv, fixed_point, masks, shamir
from bfl_stpc.stpc.messages import Directory, UnmaskAnswer, Upload
from bfl_stpc.stpc.parameters import Parameters
from bfl_stpc.stpc.party import Party


def held(
    upload: Upload,
    directory: Directory,
    params: Parameters,
    authority: KeyAuthority,
    *,
    answers: Iterable[UnmaskAnswer] = (),
    colluders: Iterable[Party] = (),
) -> NDArray[np.uint64]:
    """Return the victim's slots modulo t, uint64 (n,), with every mask removed that the coalition knows.

    Args:
        upload: the victim's.
        directory: of the round.
        params: the parameters of the study.
        authority: a key authority that misuses its secret key on a single upload.
        answers: the unmasking answers, if the aggregator takes part: they give the victim's self mask, and its
            pair masks with the hospitals that dropped out.
        colluders: hospitals that hand over their mask keys and the shares that they hold.
    """
    ticket = directory.ticket
    opened = bfv.read(upload.payload, round_context=ticket.context(), key=authority.public_key, params=params)
    slots = authority._secret.decrypt(opened.blocks, params.slots(opened.size))
    return strip(slots, upload.hospital, directory, params, answers=answers, colluders=colluders)


def strip(
    slots: NDArray[np.uint64],
    victim: str,
    directory: Directory,
    params: Parameters,
    *,
    answers: Iterable[UnmaskAnswer] = (),
    colluders: Iterable[Party] = (),
) -> NDArray[np.uint64]:
    """Return the victim's masked `slots` modulo t, uint64 (n,), without the masks that the coalition knows.

    As many colluding hospitals as the threshold pool their shares of the victim's two secrets and know every mask of
    it. Fewer know only the masks that they share with it.

    Args:
        slots: uint64 (n,), masked.
        victim: whose they are.
        directory, params, answers, colluders: as in `held`.
    """
    ticket, parties, transcript = directory.ticket, list(colluders), list(answers)
    if len(parties) >= ticket.threshold:
        plus, minus = _pooled_keys(victim, parties, directory)
        return masks.apply_masks(slots, plus=plus, minus=minus, modulus=params.modulus)
    plus, minus = [], []
    known = [_mask_private(party) for party in parties]
    if transcript:
        minus.append(masks.self_key(_recombine("seeds", victim, transcript, directory), ticket.context(), victim))
        for dropped in transcript[0].keys:
            secret = _recombine("keys", dropped, transcript, directory)
            known.append((dropped, X25519PrivateKey.from_private_bytes(secret)))
    for peer, private in known:
        secret = masks.agree(private, directory.adverts[victim].mask_key)
        key = masks.pair_key(secret, ticket.context(), victim, peer)
        (minus if directory.index(victim) < directory.index(peer) else plus).append(key)
    return masks.apply_masks(slots, plus=plus, minus=minus, modulus=params.modulus)


def invert_gradient(slots: NDArray[np.uint64], size: int, params: Parameters) -> NDArray[np.int64]:
    """Return the binary record, int64 (size − 1,), that inversion reads in one hospital's slots.

    The gradient of logistic regression on one record is (error · record, error): one division gives the record.
    """
    fields = fixed_point.unpack(slots[:-1], size, params)
    gradient = fixed_point.dequantise(fields, 1, params)
    return (gradient[:-1] / gradient[-1] > 0.5).astype(np.int64)


def _recombine(what: str, owner: str, answers: list[UnmaskAnswer], directory: Directory) -> bytes:
    shares = {directory.index(answer.hospital): getattr(answer, what)[owner] for answer in answers}
    return shamir.combine(shares, threshold=directory.ticket.threshold)


def _pooled_keys(victim: str, parties: list[Party], directory: Directory) -> tuple[list[bytes], list[bytes]]:
    """Return the keys of all masks of `victim`, to add and to take off, from shares that `parties` should not pool."""
    held, threshold = (
        {directory.index(party.name): _shares(party)[victim] for party in parties},
        directory.ticket.threshold,
    )
    seed = shamir.combine({i: both[: shamir.SHARE_BYTES] for i, both in held.items()}, threshold=threshold)
    secret = shamir.combine({i: both[shamir.SHARE_BYTES :] for i, both in held.items()}, threshold=threshold)
    private, context = X25519PrivateKey.from_private_bytes(secret), directory.ticket.context()
    plus: list[bytes] = []
    minus = [masks.self_key(seed, context, victim)]
    for peer in _shares(parties[0]):
        if peer != victim:
            key = masks.pair_key(masks.agree(private, directory.adverts[peer].mask_key), context, victim, peer)
            (minus if directory.index(victim) < directory.index(peer) else plus).append(key)
    return plus, minus


def _shares(party: Party) -> Mapping[str, bytes]:
    if party._round is None:
        raise ValueError(f"{party.name} takes no part in the round")
    return party._round.shares


def _mask_private(party: Party) -> tuple[str, X25519PrivateKey]:
    if party._round is None:
        raise ValueError(f"{party.name} takes no part in the round")
    return party.name, party._round.mask_private
