"""Which hosts of timelines are not asked for a while, since they did not answer.

A page that is not here in time comes from Postgres, so a request must not wait for a host that is known to be gone.
"""

from __future__ import annotations

PAUSE_S = 1.0


class HostBreaker:
    """Pauses reads from one host at a time; the timelines of the others are read as before. Times are monotonic."""

    def __init__(self) -> None:
        self._paused_until: dict[str, float] = {}
        self._answered_at: dict[str, float] = {}

    def closed(self, host: str, now: float) -> bool:
        """Whether a read may wait for this host."""
        return now >= self._paused_until.get(host, 0.0)

    def answered(self, host: str, now: float) -> None:
        """The host answered a read, be it with an error of the timeline's own."""
        self._answered_at[host] = now

    def timed_out(self, host: str, asked_at: float, now: float) -> None:
        """A read that began at `asked_at` was not answered. The host is paused, unless it answered others meanwhile:
        then it is that timeline that is slow."""
        if self._answered_at.get(host, float("-inf")) < asked_at:
            self._paused_until = {known: until for known, until in self._paused_until.items() if until > now}
            self._paused_until[host] = now + PAUSE_S

    def keep(self, hosts: frozenset[str]) -> None:
        """Forgets hosts that are not among these any more."""
        self._answered_at = {host: at for host, at in self._answered_at.items() if host in hosts}
