"""What can go wrong with an attachment."""

from crypto.errors import CryptoError


class AttachmentRejected(CryptoError):
    """The ciphertext was altered, cut, reordered or belongs to another key. Nothing of it may be used."""
