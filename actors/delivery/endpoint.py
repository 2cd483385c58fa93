"""The address of a realtime host, by which live sessions reach it."""

from __future__ import annotations

from dataclasses import dataclass

from actors.runtime.shard_map import Endpoint


@dataclass(frozen=True, slots=True)
class HostName:
    """One incarnation of a realtime host, written `id|node|ip:port|socket`.

    The name is the address, so a session can reach the host of a socket without a look-up.
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
        """Parses what str() made. Raises ValueError for anything else."""
        parts = name.split("|")
        if len(parts) != 4:
            raise ValueError(f"no name of a realtime host: {name!r}")
        return cls(*parts)

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint for the data plane."""
        return Endpoint(self.id, self.node, self.address, self.socket)
