"""The realtime hosts as live sessions reach them: the runtime's data plane, in the other direction.

A push may arrive twice or late. The connection state machines tolerate that, so a push is simply repeated until its
host answers, is gone or the time is up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actors.delivery.endpoint import HostName
from actors.runtime.errors import HostUnavailable
from actors.runtime.shard_map import MapView
from actors.runtime.transport.router import NoControlPlane, Router
from features.realtime.events import Batch

PUSH_TIMEOUT_S = 5.0


class RealtimeHosts:
    """Client of all realtime hosts. Create it in a running event loop.

    Every method takes a host's name as the session remembers it, and raises a CallError: HostUnavailable or
    DeadlineExceeded when the host is gone or cut off.
    """

    def __init__(self, node: str, secret: bytes) -> None:
        # Hosts become known by the sockets they register. There is no fallback path: clients of an unreachable host
        # resume elsewhere.
        self._router = Router(NoControlPlane(node), secret)

    async def close(self) -> None:
        """Closes the connections."""
        await self._router.close()

    async def deliver(self, host: str, connections: Sequence[str], batch: Batch) -> list[str]:
        """Pushes events to connections. Returns those that the host does not know."""
        items = [[item.kind, item.at_ms, item.data] for item in batch.items]
        return await self._call(host, "deliver", [list(connections), batch.stream, batch.seq, items])

    async def signal(self, host: str, connections: Sequence[str], kind: str, data: Any) -> list[str]:
        """Pushes a transient event. Returns the connections that the host does not know."""
        return await self._call(host, "signal", [list(connections), kind, data])

    async def revoke(self, host: str, connections: Sequence[str]) -> None:
        """Closes connections whose sign-in session was revoked."""
        await self._call(host, "revoke", [list(connections)])

    async def _call(self, host: str, what: str, message: list[Any]) -> list[str]:
        name = HostName.parse(host)
        view = self._router.view
        if name.id not in view.hosts:
            self._router.follow(MapView(view.version + 1, {**view.hosts, name.id: name.endpoint}))
        try:
            unknown: list[str] = await self._router.call_host(name.id, what, message, PUSH_TIMEOUT_S)
        except HostUnavailable:
            self.forget(host)  # otherwise it would be dialled forever; the next push starts over
            raise
        return unknown

    def forget(self, host: str) -> None:
        """Removes a host that is gone and fails the calls that wait for it."""
        name = HostName.parse(host)
        view = self._router.view
        if name.id in view.hosts:
            hosts = {known: endpoint for known, endpoint in view.hosts.items() if known != name.id}
            self._router.follow(MapView(view.version + 1, hosts))
