"""One-time tickets that let a signed-in device open a socket.

A ticket is 32 random bytes, base64url. Redis keeps only its SHA-256, with what the ticket stands for; the
first use replaces that by a mark, so a second use is told apart from a ticket that never was.
"""

import hashlib
import secrets
from dataclasses import dataclass
from enum import Enum

import msgpack

from cluster.redis import Redis

_USED = b"used"


class TicketProblem(Enum):
    INVALID = "invalid"
    """Never issued, or expired."""
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True)
class TicketHolder:
    """Whom a ticket lets in: a user on one device session (UUIDs in text form)."""

    user: str
    device: str


class TicketStore:
    """The tickets of one brand. Redis errors pass through."""

    def __init__(self, redis: Redis, brand: str) -> None:
        self._redis = redis
        self._brand = brand

    def _key(self, ticket: str) -> str:
        return f"{self._brand}:ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"

    async def issue(self, holder: TicketHolder, ttl_s: int) -> str:
        """A new ticket (43 characters), valid once within `ttl_s` seconds."""
        ticket = secrets.token_urlsafe(32)
        await self._redis.set(self._key(ticket), msgpack.packb([holder.user, holder.device]), ex=ttl_s)
        return ticket

    async def redeem(self, ticket: str) -> TicketHolder | TicketProblem:
        """Uses a ticket up."""
        stored = await self._redis.set(self._key(ticket), _USED, xx=True, get=True, keepttl=True)
        if stored is None:
            return TicketProblem.INVALID
        if stored == _USED:
            return TicketProblem.REPLAYED
        user, device = msgpack.unpackb(stored)
        return TicketHolder(user, device)
