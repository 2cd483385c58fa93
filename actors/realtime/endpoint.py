"""Where a realtime host can be reached by session entities, and the name under which they remember it."""

from __future__ import annotations

from dataclasses import dataclass

from actors.runtime.shard_map import Endpoint


@dataclass(frozen=True, slots=True)
class HostName:
    """A realtime host incarnation, written `id|node|ip:port|socket`.

    The name is the address, so that whoever knows of a socket can reach its host without asking anyone.
    """

    id: str
    """Unique to the incarnation: a restarted host has another one."""
    node: str
    address: str
    """`ip:port` of its stream listener."""
    socket: str
    """Path of its Unix socket on `node`."""

    def __str__(self) -> str:
        return "|".join((self.id, self.node, self.address, self.socket))

    @classmethod
    def parse(cls, name: str) -> HostName:
        """Raises ValueError for anything that str() did not make."""
        parts = name.split("|")
        if len(parts) != 4:
            raise ValueError(f"no name of a realtime host: {name!r}")
        return cls(*parts)

    @property
    def endpoint(self) -> Endpoint:
        """As the data plane wants it."""
        return Endpoint(self.id, self.node, self.address, self.socket)
