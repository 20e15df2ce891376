"""Every custom error of every contract has a class, a meaning and readable values."""

import pytest
from eth_abi import encode
from eth_utils import keccak

from bfl_stpc import errors
from bfl_stpc.ledger import Purpose, Rounds, reverts


def declared():
    return {name for name, _, _ in reverts.selectors().values()}


def test_every_error_has_a_class_and_no_class_is_left_over():
    assert declared() == set(reverts.CLASSES)


def test_every_error_of_ours_says_what_it_means():
    mute = {n for n, _, notice in reverts.selectors().values() if not notice}
    assert not {n for n in mute if n.startswith(("Hospital", "FLRound", "Consent", "Audit"))}


def test_values_are_named_and_readable():
    data = keccak(text="HospitalKeyRetired(address,bytes32)")[:4]
    error = reverts.refused(data + encode(["address", "bytes32"], ["0x" + "11" * 20, b"hospital-00".ljust(32, b"\0")]))
    assert isinstance(error, errors.RetiredKey)
    assert error.values == {"key": "0x" + "11" * 20, "name": "hospital-00"}
    assert "rotated away" in str(error)


def test_phases_are_named():
    data = keccak(text="FLRoundWrongPhase(uint256,uint8,uint8)")[:4] + encode(["uint256", "uint8", "uint8"], [7, 4, 1])
    assert reverts.refused(data).values == {"round": 7, "actual": "finalised", "required": "commit"}
    assert reverts.ENUMS["enum FLRoundManager.Phase"] == Rounds.PHASES
    assert [p.lower() for p in Purpose.__members__] == [
        name.replace(" ", "_") for name in reverts.ENUMS["enum ConsentRegistry.Purpose"]
    ]


@pytest.mark.parametrize("data", [b"", b"\x01\x02\x03\x04", bytes(40)])
def test_unknown_reverts_are_shown_as_they_are(data):
    assert reverts.refused(data).error == "Unknown"


def test_what_is_no_revert_is_a_chain_error():
    assert isinstance(reverts.from_exception(ValueError("connection reset")), errors.ChainError)
