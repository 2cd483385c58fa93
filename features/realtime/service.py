"""Issues tickets with which a signed-in device opens a socket."""

from dataclasses import dataclass
from random import Random

from cluster.redis import RedisError
from features.identity import Identity
from features.realtime.codec import CODECS
from features.realtime.errors import NoRealtimeHost, TicketsUnavailable
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
        """Issues a ticket for one socket of this sign-in session. Raises NoRealtimeHost, TicketsUnavailable."""
        try:
            hosts = await self.directory.hosts()
            if not hosts:
                raise NoRealtimeHost
            holder = TicketHolder(str(identity.account_id), str(identity.session_id))
            ticket = await self.tickets.issue(holder, self.policy.ticket_ttl_s)
        except RedisError as error:
            raise TicketsUnavailable from error
        return Admission(ticket, choose(hosts, self.random).url, self.policy.ticket_ttl_s, tuple(CODECS))


def choose(hosts: list[ListedHost], random: Random) -> ListedHost:
    """Returns the less loaded of two random hosts (Mitzenmacher, "The power of two choices", 2001)."""
    return min(random.choices(hosts, k=2), key=lambda host: host.sockets)
