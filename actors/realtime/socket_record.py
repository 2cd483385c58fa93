"""What a realtime host keeps with each socket."""

from actors.realtime.listener import Socket
from features.realtime.connection import Connection


class SocketRecord:
    """The host's record of one socket."""

    __slots__ = ("connection", "device", "id", "leased_at", "slot", "user")

    def __init__(self, connection_id: str, slot: int, connection: Connection, now: float) -> None:
        self.id = connection_id
        self.slot = slot
        """The slot of the sweep."""
        self.connection = connection
        self.user = ""
        """Empty until the ticket was redeemed."""
        self.device = ""
        self.leased_at = now


def record_of(socket: Socket) -> SocketRecord:
    """Returns the record of a socket that the host has registered."""
    assert isinstance(socket.owner, SocketRecord)
    return socket.owner
