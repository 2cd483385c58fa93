"""What can go wrong with a franked message."""

from crypto.errors import CryptoError


class FrankingInvalid(CryptoError):
    """A commitment does not open to the message, or a report was not tagged by this server."""
