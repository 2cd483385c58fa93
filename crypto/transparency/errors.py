"""What can go wrong with a transparency log."""

from crypto.errors import CryptoError


class ProofInvalid(CryptoError):
    """A proof or a tree head does not verify: the log has shown something that does not fit together."""
