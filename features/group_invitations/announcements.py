"""Tells the owners and admins of a group that somebody asks to join."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from cluster.events.consumer import Consumer
from cluster.metrics import Counter
from cluster.postgres import UnitOfWork
from features.errors import Unavailable
from features.events import consumer
from features.group_invitations import request_store
from features.group_invitations.events import GroupJoinRequested
from features.group_invitations.policy import GroupInvitationPolicy
from features.live_sessions.ports import LiveSessions

KIND = "group_join_requested"

ANNOUNCED = Counter(
    "entativa_group_join_announcements_total",
    "Owners and admins who were told that somebody asks to join their group",
    ["outcome"],
)


@dataclass(frozen=True, slots=True)
class JoinAnnouncements:
    """Announces requests once: who misses it finds them in the list, which clients read when they connect."""

    live: LiveSessions
    policy: GroupInvitationPolicy

    def consumers(self) -> list[Consumer]:
        """The consumers of this slice."""
        return [consumer("group_invitations.announcements", (GroupJoinRequested,), self._announce, outside=True)]

    async def _announce(self, uow: UnitOfWork, event: GroupJoinRequested) -> None:
        people = await request_store.managers(uow, event.group_id, event.account_id, self.policy.max_told)
        await uow.commit()  # no transaction stays open for the signals
        await asyncio.gather(*(self._tell(person, event.group_id) for person in people))

    async def _tell(self, person: UUID, group_id: UUID) -> None:
        try:
            await self.live.signal(person, KIND, {"group_id": group_id})
        except Unavailable:
            ANNOUNCED.labels("lost").inc()
        else:
            ANNOUNCED.labels("sent").inc()
