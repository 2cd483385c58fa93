"""Calls that nobody need wait for, since Postgres has the answer too: they fail as soon as the host that they are made
to is out of reach. One that is led to another host is not watched there.

Other calls wait for such a host until it is back, or until its lease has ended and another has its shards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from actors.runtime.errors import HostUnavailable


class ImpatientCalls:
    """Those of one router that are in flight, each by the future of its answer."""

    def __init__(self, out_of_reach: Callable[[str, float], bool]) -> None:
        """``out_of_reach`` says whether nothing gets through to a host at a time; it is asked again and again while
        calls wait for that host."""
        self._out_of_reach = out_of_reach
        self._hosts: dict[asyncio.Future[Any], str] = {}

    def require(self, host: str, now: float) -> None:
        """Raises HostUnavailable if there is no sense in a call to this host."""
        if self._out_of_reach(host, now):
            raise HostUnavailable(f"{host} is out of reach")

    def add(self, answer: asyncio.Future[Any], host: str) -> None:
        """A call to this host is in flight."""
        self._hosts[answer] = host

    def look(self, now: float) -> None:
        """Gives up the calls to hosts that are out of reach by now."""
        self._hosts = {answer: host for answer, host in self._hosts.items() if not answer.done()}
        gone = {host for host in set(self._hosts.values()) if self._out_of_reach(host, now)}
        for answer, host in self._hosts.items():
            if host in gone:
                answer.set_exception(HostUnavailable(f"{host} is out of reach"))
