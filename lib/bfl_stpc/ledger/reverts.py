"""Why a contract refused: the one place where reverts of any provider become errors of this package."""

import ast
import re
from functools import cache
from typing import Any

from eth_abi import decode
from eth_utils import keccak
from eth_utils.abi import collapse_if_tuple

from bfl_stpc import errors
from bfl_stpc.errors import ChainError, ContractRefused
from bfl_stpc.ledger.artifacts import NAMES, load
from bfl_stpc.ledger.identity import text

CLASSES: dict[str, type[ContractRefused]] = {
    "OwnableUnauthorizedAccount": errors.NotAuthorised,
    "OwnableInvalidOwner": errors.InvalidRequest,
    "EnforcedPause": errors.ContractPaused,
    "ExpectedPause": errors.InvalidRequest,
    "ECDSAInvalidSignature": errors.MalformedSignature,
    "ECDSAInvalidSignatureLength": errors.MalformedSignature,
    "ECDSAInvalidSignatureS": errors.MalleableSignature,
    "HospitalNameTaken": errors.InvalidRequest,
    "HospitalUnknown": errors.NotAMember,
    "HospitalEmpty": errors.InvalidRequest,
    "HospitalKeyTaken": errors.InvalidRequest,
    "HospitalKeyUnknown": errors.NotAMember,
    "HospitalKeyRetired": errors.RetiredKey,
    "HospitalSuspended": errors.SuspendedHospital,
    "HospitalRevoked": errors.RevokedHospital,
    "HospitalRegistryFull": errors.InvalidRequest,
    "HospitalCallerForbidden": errors.NotAuthorised,
    "HospitalForeignChain": errors.ForeignChain,
    "HospitalForeignContract": errors.ForeignContract,
    "HospitalNonceSpent": errors.ReplayedLogin,
    "HospitalNonceUnknown": errors.UnknownNonce,
    "HospitalChallengeExpired": errors.ExpiredChallenge,
    "HospitalExpiryTooFar": errors.LoginRefused,
    "HospitalSignatureMismatch": errors.WrongSignature,
    "HospitalSessionMissing": errors.SessionRefused,
    "HospitalSessionExpired": errors.SessionExpired,
    "HospitalLifetimeOutOfRange": errors.InvalidRequest,
    "FLRoundCallerForbidden": errors.NotAuthorised,
    "FLRoundNotNext": errors.RoundNotOpen,
    "FLRoundStillRunning": errors.RoundNotOpen,
    "FLRoundModelMismatch": errors.ModelMismatch,
    "FLRoundThresholdOutOfRange": errors.InvalidRequest,
    "FLRoundDurationZero": errors.InvalidRequest,
    "FLRoundWrongPhase": errors.RoundNotOpen,
    "FLRoundDeadlinePassed": errors.RoundDeadline,
    "FLRoundDeadlineAhead": errors.RoundDeadline,
    "FLRoundNotMember": errors.NotAMember,
    "FLRoundAlreadyCommitted": errors.DuplicateUpload,
    "FLRoundNotCommitted": errors.RoundRefused,
    "FLRoundAlreadyRevealed": errors.DuplicateUpload,
    "FLRoundNotRevealed": errors.RoundRefused,
    "FLRoundCommitmentMismatch": errors.UploadMismatch,
    "FLRoundEmpty": errors.InvalidRequest,
    "FLRoundTooFewUploads": errors.RoundTooFew,
    "FLRoundTooFewSignatures": errors.RoundTooFew,
    "FLRoundSignersUnordered": errors.InvalidRequest,
    "FLRoundUploadsMismatch": errors.RoundRefused,
    "FLRoundAlreadyPublished": errors.DuplicateUpload,
    "FLRoundNotPublished": errors.RoundRefused,
    "FLRoundNoChecks": errors.RoundRefused,
    "FLRoundAlreadyChecked": errors.DuplicateUpload,
    "FLRoundCheckOutOfRange": errors.InvalidRequest,
    "FLRoundSeedNotReady": errors.RoundRefused,
    "FLRoundSeedLost": errors.RoundRefused,
    "FLRoundSumForged": errors.SumForged,
    "AuditWriterForbidden": errors.NotAuthorised,
    "AuditBatchEmpty": errors.InvalidRequest,
    "ConsentRecordTaken": errors.ConsentRefused,
    "ConsentRecordUnknown": errors.ConsentRefused,
    "ConsentRecordErased": errors.ConsentRefused,
    "ConsentEmpty": errors.InvalidRequest,
    "ConsentNotCustodian": errors.NotAuthorised,
    "ConsentNonceSpent": errors.ReplayedLogin,
    "ConsentNonceUnknown": errors.UnknownNonce,
    "ConsentSignatureMismatch": errors.WrongSignature,
    "ConsentActionsInvalid": errors.InvalidRequest,
    "ConsentValidityInvalid": errors.InvalidRequest,
    "ConsentPurposeReserved": errors.InvalidRequest,
    "ConsentMissing": errors.ConsentRefused,
    "InvalidShortString": errors.InvalidRequest,  # OpenZeppelin's EIP712 names: compiled in, out of reach
    "StringTooLong": errors.InvalidRequest,
}
# Names of the contracts' enumerations, in their order.
ENUMS = {
    "enum FLRoundManager.Phase": ("none", "commit", "reveal", "aggregate", "finalised", "aborted"),
    "enum ConsentRegistry.Purpose": ("treatment", "payment", "operations", "research", "public health", "emergency"),
}
_BYTES_LITERAL = re.compile(r"b(['\"]).*\1", re.DOTALL)


def refused(data: bytes) -> ContractRefused:
    """Return the error for a contract's revert data; it names the contract's error, its values and meaning."""
    entry = selectors().get(data[:4])
    if entry is None:
        return ContractRefused(f"a contract reverted with {data.hex() or 'no reason'}", "Unknown", {"data": data})
    name, inputs, notice = entry
    decoded = decode([collapse_if_tuple(i) for i in inputs], data[4:])
    values = {i["name"]: _plain(v, i["internalType"]) for i, v in zip(inputs, decoded)}
    shown = ", ".join(f"{k}={v.hex() if isinstance(v, bytes) else v}" for k, v in values.items())
    return CLASSES[name](f"{name}({shown}): {notice}", name, values)


def from_exception(error: Exception) -> ContractRefused | ChainError:
    """Map what eth-tester or a node over HTTP raised for a call to an error of this package."""
    raw = getattr(error, "data", None)
    if isinstance(raw, str) and raw.startswith("0x"):  # HTTP: ContractCustomError and its kin
        return refused(bytes.fromhex(raw[2:]))
    literal = _BYTES_LITERAL.search(str(error))
    if "execution reverted" in str(error) and literal:  # eth-tester: the repr of the bytes, in the message
        return refused(ast.literal_eval(literal.group()))
    return ChainError(f"the node refused the call: {error}")


@cache
def selectors() -> dict[bytes, tuple[str, list[dict[str, Any]], str]]:
    """Return name, inputs and meaning of every custom error of every contract, by 4-byte selector."""
    table = {}
    for contract in map(load, NAMES):
        for entry in contract.abi:
            if entry["type"] == "error":
                signature = f"{entry['name']}({','.join(collapse_if_tuple(i) for i in entry['inputs'])})"
                notice = contract.notices.get(entry["name"], "")
                table[keccak(text=signature)[:4]] = (entry["name"], entry["inputs"], notice)
    return table


def _plain(value: Any, kind: str) -> object:
    """Return a 32-byte ASCII name as text, an enumeration's value by name, all else as it is."""
    if kind in ENUMS:
        return ENUMS[kind][value]
    if isinstance(value, bytes) and len(value) == 32 and value[0] and value[-1] == 0:
        return text(value)
    return value
