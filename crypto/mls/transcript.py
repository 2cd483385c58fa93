"""Transcript hashes and confirmation tags (RFC 9420 sections 6.1 and 8.2)."""

from crypto.mls.cipher_suite import SuiteCrypto
from crypto.mls.codec import opaque, u16
from crypto.mls.framing import AuthenticatedContent


def confirmed_transcript_hash(crypto: SuiteCrypto, interim_before: bytes, commit: AuthenticatedContent) -> bytes:
    """The hash over all commits up to and including ``commit``'s signature."""
    return crypto.hash(
        b"".join((interim_before, u16(commit.wire_format), commit.framed.encoded, opaque(commit.signature)))
    )


def interim_transcript_hash(crypto: SuiteCrypto, confirmed: bytes, confirmation_tag: bytes) -> bytes:
    """The confirmed hash with the confirmation tag of the same commit."""
    return crypto.hash(confirmed + opaque(confirmation_tag))


def confirmation_tag(crypto: SuiteCrypto, confirmation_key: bytes, confirmed: bytes) -> bytes:
    """The proof that a member has arrived at the new epoch."""
    return crypto.mac(confirmation_key, confirmed)
