"""Every error this package raises, in one tree.

BflError
├── ConfigError               a profile, parameter or setting that does not exist or does not fit
├── DataError                 input data cannot be used
│   ├── SchemaError           a table breaks its schema: column, row and rule are named
│   └── IntegrityError        bytes differ from their recorded SHA-256
├── FederatedError            local training or aggregation of weights cannot proceed
├── PrivacyError              a differential-privacy promise cannot be kept
├── StpcError                 secure third-party computation refused
├── LedgerError               the chain or a contract refused
└── StudyError                a notebook, result, figure or claim failed
    ├── NotebookFailed        a cell raised: notebook, cell and error are named
    ├── StoreError            a result cannot be read or written
    └── ClaimError            a claim lacks a verdict or its verdict does not hold

Foreign exceptions are mapped where they enter; failures that depend on a secret share one message.
"""


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


class FederatedError(BflError):
    """Local training or aggregation of weights cannot proceed."""


class PrivacyError(BflError):
    """A differential-privacy promise cannot be kept."""


class StpcError(BflError):
    """Secure third-party computation refused."""


class LedgerError(BflError):
    """The chain or a contract refused."""


class StudyError(BflError):
    """A notebook, result, figure or claim failed."""


class NotebookFailed(StudyError):
    """A notebook cell raised; the message names notebook, cell, error and the partial notebook."""


class StoreError(StudyError):
    """A result cannot be read or written."""


class ClaimError(StudyError):
    """A claim lacks a verdict, or its verdict does not hold."""
