"""Secrets that people or devices carry, and the hashes under which they are kept."""

import hmac
import secrets
from hashlib import sha256
from uuid import UUID


def new_code() -> str:
    """Six random digits."""
    return f"{secrets.randbelow(1_000_000):06}"


def hash_code(secret: bytes, sign_up_id: UUID, code: str) -> bytes:
    """HMAC-SHA256, 32 bytes. Keyed, because a million codes are tried in no time by whoever reads the table."""
    return hmac.digest(secret, b"auth.code\0" + sign_up_id.bytes + code.encode(), "sha256")


def hash_identifier(secret: bytes, identifier: str) -> bytes:
    """HMAC-SHA256, 32 bytes, of what somebody typed as their name."""
    return hmac.digest(secret, b"auth.identifier\0" + identifier.encode(), "sha256")


def new_refresh_token() -> str:
    """256 random bits, as 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def hash_refresh_token(token: str) -> bytes:
    """SHA-256, 32 bytes. No key and no salt needed: there is nothing to guess in 256 random bits."""
    return sha256(token.encode()).digest()
