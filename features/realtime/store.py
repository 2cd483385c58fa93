"""One-time tickets and the directory of realtime hosts, in Redis.

A ticket is 32 random bytes, base64url. Redis keeps only its SHA-256 with its holder. The first use replaces the holder
by a mark, which distinguishes a second use from a ticket that was never issued.
"""

import hashlib
import secrets
from dataclasses import dataclass
from enum import Enum

import msgpack

from cluster.redis import Redis
from cluster.redis_pipeline import SharedPipeline

_USED = b"used"


class TicketProblem(Enum):
    INVALID = "invalid"
    """Never issued, or expired."""
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True)
class TicketHolder:
    """The user and the sign-in session that a ticket admits (UUIDs in text form)."""

    user: str
    device: str


class TicketStore:
    """The tickets of one brand. Redis errors propagate."""

    def __init__(self, redis: Redis, brand: str) -> None:
        self._redis = redis
        self._pipeline = SharedPipeline(redis)
        self._brand = brand

    def _key(self, ticket: str) -> str:
        return f"{self._brand}:ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"

    async def issue(self, holder: TicketHolder, ttl_s: int) -> str:
        """Issues a ticket (43 characters), valid once within `ttl_s` seconds."""
        ticket = secrets.token_urlsafe(32)
        await self._redis.set(self._key(ticket), msgpack.packb([holder.user, holder.device]), ex=ttl_s)
        return ticket

    async def redeem(self, ticket: str) -> TicketHolder | TicketProblem:
        """Uses a ticket up. Those that come at the same time share a round trip: after a restart of a host, all of its
        clients come."""
        use = ("SET", self._key(ticket), _USED, "XX", "KEEPTTL", "GET")
        (stored,) = await self._pipeline.execute(use, get=True)
        if stored is None:
            return TicketProblem.INVALID
        if stored == _USED:
            return TicketProblem.REPLAYED
        user, device = msgpack.unpackb(stored)
        return TicketHolder(user, device)


@dataclass(frozen=True, slots=True)
class ListedHost:
    """A realtime host that accepts sockets."""

    id: str
    url: str
    """Where clients connect, ws:// or wss://."""
    sockets: int


class HostDirectory:
    """The realtime hosts of one brand that accept sockets now. Redis errors propagate. Each command has one key: the
    keys may lie on several nodes of a Redis Cluster."""

    def __init__(self, redis: Redis, brand: str) -> None:
        self._redis = redis
        self._all = f"{brand}:realtime:hosts"
        self._one = f"{brand}:realtime:host:"

    async def announce(self, host: ListedHost, ttl_s: int) -> None:
        """Lists a host for `ttl_s` seconds."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.set(self._one + host.id, msgpack.packb([host.url, host.sockets]), ex=ttl_s)
        pipeline.sadd(self._all, host.id)
        await pipeline.execute()

    async def withdraw(self, host_id: str) -> None:
        """Removes a host that accepts no more sockets."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.delete(self._one + host_id)
        pipeline.srem(self._all, host_id)
        await pipeline.execute()

    async def hosts(self) -> list[ListedHost]:
        """Returns the listed hosts and removes expired ones."""
        members: set[bytes] = await self._redis.smembers(self._all)  # type: ignore[assignment]
        names = sorted(name.decode() for name in members)
        if not names:
            return []
        pipeline = self._redis.pipeline(transaction=False)
        for name in names:
            pipeline.get(self._one + name)
        values = await pipeline.execute()
        expired = [name for name, value in zip(names, values, strict=True) if value is None]
        if expired:
            await self._redis.srem(self._all, *expired)
        return [
            ListedHost(name, *msgpack.unpackb(value))
            for name, value in zip(names, values, strict=True)
            if value is not None
        ]
