"""Every error this package raises, in one tree.

BflError
├── ConfigError               a profile, parameter or setting that does not exist or does not fit
├── DataError                 input data cannot be used
│   ├── SchemaError           a table breaks its schema: column, row and rule are named
│   ├── IntegrityError        bytes differ from their recorded SHA-256
│   └── DataMissing           real data are neither here nor to be downloaded, or an optional package is not installed
=======
│   ├── TableUnreadable       a file is no table: byte, line or column is named
│   ├── MappingError          a mapping does not fit its table, or nobody has confirmed it
│   ├── UnfitHospitals        hospitals too small, or with one class alone, to take part
│   └── LabelLeaked           an input gives the label away
├── FederatedError            local training or aggregation of weights cannot proceed
├── PrivacyError              a differential-privacy promise cannot be kept
├── StpcError                 secure third-party computation refused
│   ├── ParameterError        parameters exceed capacity, noise or the HE standard's table
│   ├── UpdateError           an update cannot be encoded: its shape, a value or a count is named
│   ├── MessageError          bytes received are not what they claim to be
│   │   ├── Truncated         shorter than announced
│   │   ├── Oversized         longer than any valid message
│   │   ├── Foreign           other version, parameters, key, round or model
│   │   └── Corrupt           checksum, signature, authenticity or structure fails
│   ├── CommitmentMismatch    an upload is not the one that the ledger recorded
│   ├── TooFewUploads         fewer hospitals than the threshold: nothing is opened
│   ├── ShareError            secret shares do not recombine
│   ├── OutOfOrder            a message of the protocol came twice or before its turn
│   ├── UnmaskRefused         a hospital refuses to reveal shares; the rule is named
│   ├── OpeningRefused        the key authority refuses to decrypt; the rule is named
│   ├── NoiseExhausted        a ciphertext has no noise budget left
│   └── SumRefuted            the published sum is not the sum of the committed uploads
├── LedgerError               the chain or a contract refused
│   ├── ChainError            the node refused a transaction, is out of reach or too slow
│   ├── AccessDenied          a request was refused, and the refusal is in the trail
│   ├── ProofInvalid          a Merkle proof does not hold
│   ├── TrailTampered         the audit trail was altered: `sequence` is the first wrong entry
│   ├── BlockRefused          a replica rejected a block, or a chain's blocks were altered
│   ├── CertificateInvalid    too few, foreign or forged signatures of a block
│   ├── VaultError            a stored record cannot be had
│   │   ├── RecordMissing         it was never stored, or it was erased
│   │   ├── RecordTampered        it is not what its commitment recorded
│   │   └── ReaderUnknown         no key is wrapped for this reader, or the reader's key is another
│   └── ContractRefused       a contract reverted: `error` and `values` are the contract's own
│       ├── NotAuthorised     the caller lacks the role
│       ├── ContractPaused    writes are paused
│       ├── InvalidRequest    an argument that no state would make right
│       ├── NotAMember        no such hospital, or not one of this round
│       │   ├── RetiredKey        the key was rotated away
│       │   ├── SuspendedHospital the hospital is suspended
│       │   └── RevokedHospital   the hospital was revoked for good
│       ├── LoginRefused      the signed challenge does not hold
│       │   ├── ReplayedLogin     its nonce was spent
│       │   ├── UnknownNonce      its nonce was never issued
│       │   ├── ExpiredChallenge  it came too late
│       │   ├── ForeignChain      it was signed for another chain
│       │   ├── ForeignContract   it was signed for another contract
│       │   ├── MalformedSignature not a signature
│       │   │   └── MalleableSignature s lies in the upper half of the order
│       │   └── WrongSignature    another key or another message
│       ├── SessionRefused    no session for this round and model
│       │   └── SessionExpired    it ended
│       ├── ConsentRefused    the state of the record or consent does not allow it
│       └── RoundRefused      the state of the round does not allow it
│           ├── RoundNotOpen      the round is in another phase
│           ├── RoundDeadline     too late, or too early for this caller
│           ├── RoundTooFew       too few uploads, signatures or check values
│           ├── DuplicateUpload   committed, revealed or checked before
│           ├── UploadMismatch    not the digest that the hospital committed to
│           ├── ModelMismatch     the round does not start from the last model
│           └── SumForged         the published sum is not that of the uploads
├── ProtocolError             the roles of a round cannot go on together
│   ├── WireError             a message between roles is refused
│   │   ├── Stranger          its sender has no card, or another key signed
│   │   ├── Forged            it does not open: altered, redirected or no message
│   │   ├── Replayed          it came before, or out of turn
│   │   └── NoSession         its keys are of another life of the process: greet again
│   ├── PeerLost              a role did not answer: it died, or its deadline passed
│   ├── DurableError          a role's store cannot be read or written
│   └── RoundAborted          the round ended without a result, and nothing was opened: start the next
└── StudyError                a notebook, result, figure or claim failed
    ├── NotebookFailed        a cell raised: notebook, cell and error are named
    ├── StoreError            a result cannot be read or written
    ├── ClaimError            a claim lacks a verdict or its verdict does not hold
    ├── ReferenceDiffers      results differ from the committed reference, and nothing explains it
    └── BookError             the static book cannot be built from what is there

Exceptions of other libraries are mapped where they enter; failures that depend on a secret share one message.
"""

from typing import Any


class BflError(Exception):
    """Base of all errors raised on purpose by this package."""


class ConfigError(BflError):
    """A profile, parameter or setting does not exist or does not fit."""


class DataError(BflError):
    """Input data cannot be used."""


class SchemaError(DataError):
    """A table breaks its schema; the message names column, row and rule."""


class IntegrityError(DataError):
    """Bytes differ from their recorded SHA-256."""


class DataMissing(DataError):
    """Real data are neither here nor to be downloaded, or the optional package that holds them is not installed."""


class TableUnreadable(DataError):
    """A file is no table; the message names the byte, line or column, and the mend."""


class MappingError(DataError):
    """A mapping does not fit its table, or nobody has confirmed it."""


class UnfitHospitals(DataError):
    """Hospitals are too small, or hold one class alone; the message names each."""


class LabelLeaked(DataError):
    """An input gives the label away; the message names it and how well it tells the classes apart."""


class FederatedError(BflError):
    """Local training or aggregation of weights cannot proceed."""


class PrivacyError(BflError):
    """A differential-privacy promise cannot be kept."""


class StpcError(BflError):
    """Secure third-party computation refused."""


class ParameterError(StpcError):
    """Parameters exceed capacity, noise or the HE standard's table."""


class UpdateError(StpcError):
    """An update cannot be encoded; the message names its shape, value or count."""


class MessageError(StpcError):
    """Bytes received are not what they claim to be."""


class Truncated(MessageError):
    """A message is shorter than it announces."""


class Oversized(MessageError):
    """A message is longer than any valid one."""


class Foreign(MessageError):
    """A message is of another version, parameter set, key, round or model."""


class Corrupt(MessageError):
    """A checksum, signature, authenticity tag or structure fails."""


class CommitmentMismatch(StpcError):
    """An upload is not the one that the ledger recorded."""


class TooFewUploads(StpcError):
    """Fewer hospitals than the threshold remain; nothing is opened."""


class ShareError(StpcError):
    """Secret shares do not recombine."""


class OutOfOrder(StpcError):
    """A message of the protocol came twice or before its turn."""


class UnmaskRefused(StpcError):
    """A hospital refuses to reveal shares; the message names the rule."""


class OpeningRefused(StpcError):
    """The key authority refuses to decrypt; the message names the rule."""


class NoiseExhausted(StpcError):
    """A ciphertext has no noise budget left."""


class SumRefuted(StpcError):
    """The published sum is not the sum of the committed uploads."""


class LedgerError(BflError):
    """The chain or a contract refused."""


class ChainError(LedgerError):
    """The node refused a transaction, is out of reach or too slow."""


class AccessDenied(LedgerError):
    """A request was refused. The refusal is in the audit trail, as `entry` (a `ledger.Entry`)."""

    def __init__(self, message: str, entry: Any) -> None:
        super().__init__(message)
        self.entry = entry


class ProofInvalid(LedgerError):
    """A Merkle proof does not hold."""


class TrailTampered(LedgerError):
    """The audit trail was altered; `sequence` is the first entry that does not hold."""

    def __init__(self, message: str, sequence: int) -> None:
        super().__init__(message)
        self.sequence = sequence


class BlockRefused(LedgerError):
    """A replica rejected a block, or the blocks of a chain were altered; the message names the block."""


class CertificateInvalid(LedgerError):
    """Too few, foreign or forged signatures of a block."""


class VaultError(LedgerError):
    """A stored record cannot be had."""


class RecordMissing(VaultError):
    """The record was never stored, or it was erased."""


class RecordTampered(VaultError):
    """The stored record is not what its commitment recorded."""


class ReaderUnknown(VaultError):
    """No key is wrapped for this reader, or the reader's key is another."""


class ContractRefused(LedgerError):
    """A contract reverted.

    Attributes:
        error: name of the contract's custom error, such as `HospitalNonceSpent`.
        values: its arguments by name: int, str (addresses, ASCII names) or bytes.
    """

    def __init__(self, message: str, error: str, values: dict[str, object]) -> None:
        super().__init__(message)
        self.error, self.values = error, values


class NotAuthorised(ContractRefused):
    """The caller lacks the role."""


class ContractPaused(ContractRefused):
    """Writes are paused."""


class InvalidRequest(ContractRefused):
    """An argument that no state would make right."""


class NotAMember(ContractRefused):
    """No such hospital, or not one of this round."""


class RetiredKey(NotAMember):
    """The key was rotated away."""


class SuspendedHospital(NotAMember):
    """The hospital is suspended."""


class RevokedHospital(NotAMember):
    """The hospital was revoked for good."""


class LoginRefused(ContractRefused):
    """The signed challenge does not hold."""


class ReplayedLogin(LoginRefused):
    """The nonce of the challenge was spent."""


class UnknownNonce(LoginRefused):
    """The nonce of the challenge was never issued."""


class ExpiredChallenge(LoginRefused):
    """The challenge came too late."""


class ForeignChain(LoginRefused):
    """The challenge was signed for another chain."""


class ForeignContract(LoginRefused):
    """The challenge was signed for another contract."""


class MalformedSignature(LoginRefused):
    """The bytes are not a signature."""


class MalleableSignature(MalformedSignature):
    """The s of the signature lies in the upper half of the order."""


class WrongSignature(LoginRefused):
    """Another key signed, or another message was signed."""


class SessionRefused(ContractRefused):
    """There is no session for this round and model."""


class SessionExpired(SessionRefused):
    """The session ended."""


class ConsentRefused(ContractRefused):
    """The state of the record or consent does not allow it."""


class RoundRefused(ContractRefused):
    """The state of the round does not allow it."""


class RoundNotOpen(RoundRefused):
    """The round is in another phase."""


class RoundDeadline(RoundRefused):
    """Too late, or too early for this caller."""


class RoundTooFew(RoundRefused):
    """Too few uploads, signatures or check values."""


class DuplicateUpload(RoundRefused):
    """The hospital committed, revealed or checked before."""


class UploadMismatch(RoundRefused):
    """Not the digest that the hospital committed to."""


class ModelMismatch(RoundRefused):
    """The round does not start from the last finalised model."""


class SumForged(RoundRefused):
    """The published sum is not that of the uploads."""


class ProtocolError(BflError):
    """The roles of a round cannot go on together."""


class WireError(ProtocolError):
    """A message between roles is refused."""


class Stranger(WireError):
    """The sender has no card, or another key than its card's signed."""


class Forged(WireError):
    """A message does not open: it was altered, redirected, or is none."""


class Replayed(WireError):
    """A message came before, or out of turn."""


class NoSession(WireError):
    """The keys of a message are of another life of the process: greet it again."""


class PeerLost(ProtocolError):
    """A role did not answer: it died, or its deadline passed."""


class DurableError(ProtocolError):
    """A role's store cannot be read or written: the disk is full or gone, or the file is no store."""


class RoundAborted(ProtocolError):
    """A round ended without a result, and nothing was opened. The cause says why; start the next round."""


class StudyError(BflError):
    """A notebook, result, figure or claim failed."""


class NotebookFailed(StudyError):
    """A notebook cell raised; the message names notebook, cell, error and the partial notebook."""


class StoreError(StudyError):
    """A result cannot be read or written."""


class ClaimError(StudyError):
    """A claim lacks a verdict, or its verdict does not hold."""


class ReferenceDiffers(StudyError):
    """Results differ from the committed reference beyond what is allowed; the message names each."""


class BookError(StudyError):
    """The static book cannot be built: a notebook, a figure, a tool or a link is missing."""
