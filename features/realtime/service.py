"""Issues tickets with which a signed-in device opens a socket."""

from dataclasses import dataclass
from random import Random

from cluster.redis import RedisError
from features.errors import Unavailable
from features.identity import Identity
from features.realtime.codec import CODECS
from features.realtime.policy import RealtimePolicy
from features.realtime.store import HostDirectory, ListedHost, TicketHolder, TicketStore


@dataclass(frozen=True, slots=True)
class Admission:
    """A ticket, valid once, at any host, for `expires_in_s` seconds, and the address of a host."""

    ticket: str
    url: str
    expires_in_s: int
    subprotocols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RealtimeService:
    """Issues tickets. `random` spreads clients over hosts."""

    policy: RealtimePolicy
    tickets: TicketStore
    directory: HostDirectory
    random: Random

    async def admit(self, identity: Identity) -> Admission:
        """Issues a ticket for one socket of this sign-in session. Raises Unavailable when no host accepts sockets."""
        try:
            hosts = await self.directory.hosts()
            if not hosts:
                raise Unavailable("no_realtime_host", "No realtime host takes connections now; poll, and try again.")
            holder = TicketHolder(str(identity.account_id), str(identity.session_id))
            ticket = await self.tickets.issue(holder, self.policy.ticket_ttl_s)
        except RedisError as error:
            raise Unavailable("realtime_unavailable", "Tickets cannot be issued now; poll, and try again.") from error
        return Admission(ticket, choose(hosts, self.random).url, self.policy.ticket_ttl_s, tuple(CODECS))


def choose(hosts: list[ListedHost], random: Random) -> ListedHost:
    """Returns the less loaded of two random hosts (Mitzenmacher, "The power of two choices", 2001)."""
    return min(random.choices(hosts, k=2), key=lambda host: host.sockets)
