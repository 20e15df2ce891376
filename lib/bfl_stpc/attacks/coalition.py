"""What a coalition of roles holds of one hospital's update, and what gradient inversion reads in it."""

from collections.abc import Iterable

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
        colluders: hospitals that hand over their mask keys.
    """
    ticket, name = directory.ticket, upload.hospital
    opened = bfv.read(upload.payload, round_context=ticket.context(), key=authority.public_key, params=params)
    slots = authority._secret.decrypt(opened.blocks, params.slots(opened.size))
    plus: list[bytes] = []
    minus: list[bytes] = []
    transcript, known = list(answers), [_mask_private(party) for party in colluders]
    if transcript:
        minus.append(masks.self_key(_recombine("seeds", name, transcript, directory), ticket.context(), name))
        for dropped in transcript[0].keys:
            secret = _recombine("keys", dropped, transcript, directory)
            known.append((dropped, X25519PrivateKey.from_private_bytes(secret)))
    for peer, private in known:
        secret = masks.agree(private, directory.adverts[name].mask_key)
        key = masks.pair_key(secret, ticket.context(), name, peer)
        (minus if directory.index(name) < directory.index(peer) else plus).append(key)
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


def _mask_private(party: Party) -> tuple[str, X25519PrivateKey]:
    if party._round is None:
        raise ValueError(f"{party.name} takes no part in the round")
    return party.name, party._round.mask_private()
