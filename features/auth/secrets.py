"""Codes, refresh tokens, and the hashes under which they are stored."""

import hmac
import secrets
from hashlib import sha256
from typing import Literal
from uuid import UUID


def new_code() -> str:
    """Returns six random digits."""
    return f"{secrets.randbelow(1_000_000):06}"


def hash_code(secret: bytes, sign_up_id: UUID, code: str) -> bytes:
    """Returns an HMAC-SHA256, 32 bytes. Keyed, because a reader of the table could try all codes quickly."""
    return hmac.digest(secret, b"auth.code\0" + sign_up_id.bytes + code.encode(), "sha256")


SubjectKind = Literal["identifier", "account", "device", "requester", "email"]


def hash_subject(secret: bytes, kind: SubjectKind, value: str) -> bytes:
    """Returns the HMAC-SHA256, 32 bytes, of what attempts are counted by. The same value of another kind has another
    one: people choose what they type as an identifier."""
    return hmac.digest(secret, f"auth.{kind}\0{value}".encode(), "sha256")


def new_refresh_token() -> str:
    """Returns 256 random bits as 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def hash_refresh_token(token: str) -> bytes:
    """Returns the SHA-256, 32 bytes. It needs no key and no salt: 256 random bits cannot be guessed."""
    return sha256(token.encode()).digest()
