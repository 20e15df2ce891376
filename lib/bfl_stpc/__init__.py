"""BFL-STPC: blockchain-based federated learning with secure third-party computation."""

__version__ = "0.1.0"
