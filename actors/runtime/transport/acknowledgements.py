"""Whether the other end's kernel acknowledges what is sent on a connection.

A kernel does so at once, however busy the process is that should read it. So a process that takes long can be told from
a node that has lost its power, or cannot be reached, long before a call's deadline.
"""

from __future__ import annotations

import socket
import struct
from typing import Protocol

SILENCE_SECONDS = 0.25
"""Longer than a kernel waits for something to send its acknowledgement with (0.2 s)."""

_NUMBER = struct.Struct("=I")
_PACKETS_OFFSET, _LAST_OFFSET = 24, 56
"""Of tcpi_unacked (packets) and tcpi_last_ack_recv (milliseconds ago) in Linux's struct tcp_info (linux/tcp.h)."""


class Socket(Protocol):
    """What is asked of a TCP socket."""

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes:
        """See socket.socket."""


class Acknowledgements:
    """Of one connection. It is looked at from time to time; `now` is monotonic."""

    def __init__(self, connection: Socket) -> None:
        self._connection = connection
        self._waiting_since: float | None = None

    def overdue(self, now: float) -> bool:
        """Whether packets have been on their way for `SILENCE_SECONDS` of looking, and none was acknowledged."""
        info = self._connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_OFFSET + _NUMBER.size)
        if not _NUMBER.unpack_from(info, _PACKETS_OFFSET)[0]:
            self._waiting_since = None
            return False
        last = now - _NUMBER.unpack_from(info, _LAST_OFFSET)[0] / 1000
        if self._waiting_since is None or last > self._waiting_since:
            # They may have been sent after that.
            self._waiting_since = now
        return now - self._waiting_since >= SILENCE_SECONDS
