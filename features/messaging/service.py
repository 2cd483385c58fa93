"""The service of messaging: opening conversations, their settings, sending, and inboxes of devices."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.delivery_tags import DeliveryTags
from features.devices.errors import NotADevice
from features.devices.model import DeviceAddress
from features.devices.service import DeviceService
from features.groups.model import GroupDelivery, Waiting, is_group
from features.groups.service import GroupService
from features.identity import Identity
from features.messaging import store
from features.messaging.errors import (
    MessagingUnavailable,
    NoSuchConversation,
    TooManyPendingConversations,
)
from features.messaging.inbox_page import first_page
from features.messaging.model import (
    Acknowledgement,
    ConversationView,
    Delivery,
    Membership,
    MemberState,
    Outgoing,
    Sent,
    pair_id,
)
from features.messaging.outgoing import check_devices
from features.messaging.policy import MessagingPolicy
from features.messaging.ports import Conversations
from features.messaging.tagging import tagged
from features.microseconds import microseconds_of
from features.paging import Page, PageRequest, page_of
from features.profiles.service import ProfileService
from features.relationships.errors import NoSuchPerson, Yourself
from features.relationships.service import RelationshipService


@dataclass(frozen=True, slots=True)
class MessagingService:
    """Conversations through their entities. Without entities (`conversations` None) nothing is sent."""

    policy: MessagingPolicy
    relationships: RelationshipService
    profiles: ProfileService
    devices: DeviceService
    groups: GroupService
    tags: DeliveryTags
    conversations: Conversations | None = None

    async def open(self, uow: UnitOfWork, me: UUID, other: UUID, now: datetime) -> tuple[ConversationView, bool]:
        """Returns the conversation with an account, and whether it is new. To somebody who does not follow the caller
        (who is no friend), a new one is a request. Raises NoSuchPerson, Yourself, TooManyPendingConversations."""
        if me == other:
            raise Yourself(field="account_id")
        found = await self.relationships.relationship(uow, me, other)
        state = MemberState.ACTIVE if found.state.follows_me else MemberState.REQUESTED
        id = pair_id(me, other)
        limit, lifetime = self.policy.max_pending_requests, self.policy.request_lifetime
        ends = now + lifetime if state is MemberState.REQUESTED else None
        new = await store.open_pair(uow, id, me, other, state, now, ends)
        if new and ends is not None and await store.pending(uow, me, now - lifetime) > limit:
            raise TooManyPendingConversations(f"At most {limit} conversations can wait for others to accept them.")
        view = await self._find(uow, me, id)
        if view is None:  # it was blocked, or is no longer active, since
            raise NoSuchPerson
        return view, new

    async def get(self, uow: UnitOfWork, me: UUID, conversation_id: UUID) -> ConversationView:
        """Returns a conversation of the caller, in two statements. Raises NoSuchConversation."""
        view = await self._find(uow, me, conversation_id)
        if view is None:
            raise NoSuchConversation
        return view

    async def _find(self, uow: UnitOfWork, me: UUID, conversation_id: UUID) -> ConversationView | None:
        membership = await store.find(uow, me, conversation_id)
        if membership is None:
            return None
        people = await self.profiles.people(uow, [membership.other_id])
        person = people.get(membership.other_id)
        return None if person is None else ConversationView(membership, person)

    async def list(self, uow: UnitOfWork, me: UUID, state: MemberState, page: PageRequest) -> Page[ConversationView]:
        """Returns the caller's conversations, newest first, in two statements."""
        listed = page_of(await store.memberships(uow, me, state, page), page.limit, Membership.cursor)
        people = await self.profiles.people(uow, [each.other_id for each in listed.items])
        shown = [ConversationView(each, people[each.other_id]) for each in listed.items if each.other_id in people]
        return Page(shown, listed.next_cursor)

    async def change(
        self,
        uow: UnitOfWork,
        me: UUID,
        conversation_id: UUID,
        *,
        mutes: bool,
        muted_until: datetime | None,
        archived: bool | None,
        pinned: bool | None,
    ) -> ConversationView:
        """Changes the caller's own settings of a conversation, those that are not None, and `muted_until` if `mutes`.
        Raises NoSuchConversation."""
        await self.get(uow, me, conversation_id)
        await store.change_settings(
            uow, me, conversation_id, mutes=mutes, muted_until=muted_until, archived=archived, pinned=pinned
        )
        return await self.get(uow, me, conversation_id)

    async def accept(self, me: UUID, conversation_id: UUID) -> None:
        """Accepts a conversation. Raises NoSuchConversation, MessagingUnavailable."""
        await self._entities().accept(conversation_id, me)

    async def decline(self, me: UUID, conversation_id: UUID) -> None:
        """Declines a conversation; the other is not notified. Raises NoSuchConversation, NothingToDecline,
        MessagingUnavailable."""
        await self._entities().decline(conversation_id, me)

    async def send(self, conversation_id: UUID, sender: Identity, message: Outgoing) -> Sent:
        """Sends a message and returns when it is durable; the same message again is answered alike. Raises
        NoSuchConversation, NotADevice, DuplicateDevice, MessageIdReused, DevicesChanged, RequestNotAccepted,
        NoDevices, MailboxFull, MessagingUnavailable."""
        check_devices(message)
        return await self._entities().send(conversation_id, sender, message)

    async def inbox(
        self, uow: UnitOfWork, reader: Identity, page: PageRequest, now: datetime
    ) -> Page[Delivery | GroupDelivery]:
        """Returns what waits for the caller's device, of people and groups, oldest first, in three statements, with the
        tags by which it can be reported. Large messages end a page before its limit. Raises NotADevice."""
        device = await self._device(uow, reader)
        address = DeviceAddress(reader.account_id, device)
        start = page.cursor
        after = Waiting(microseconds_of(start.at), start.id) if start else Waiting(-1, UUID(int=0))
        found: list[Delivery | GroupDelivery] = [
            *await store.inbox(uow, reader.account_id, device, page, self.policy.max_page_bytes, now),
            *await self.groups.waiting(uow, address, after, page.limit + 1, self.policy.max_page_bytes, now),
        ]
        oldest_first = sorted(found, key=lambda each: (each.seq, each.cursor().id))
        return first_page(
            [tagged(each, self.tags, reader.account_id) for each in oldest_first[: page.limit + 1]],
            *(page.limit, self.policy.max_page_bytes),
        )

    async def acknowledge(self, uow: UnitOfWork, reader: Identity, acknowledgements: Sequence[Acknowledgement]) -> None:
        """Deletes what the caller's device has stored, and notes how far it has read in groups, in two statements, or
        three for both. Raises NotADevice."""
        device = await self._device(uow, reader)
        in_groups: dict[UUID, int] = {}
        for each in acknowledgements:
            if is_group(each.conversation_id):
                in_groups[each.conversation_id] = max(each.seq, in_groups.get(each.conversation_id, 0))
        of_people = [each for each in acknowledgements if not is_group(each.conversation_id)]
        if of_people:
            await store.acknowledge(uow, reader.account_id, device, of_people)
        if in_groups:
            await self.groups.acknowledge(uow, DeviceAddress(reader.account_id, device), in_groups)

    async def _device(self, uow: UnitOfWork, identity: Identity) -> int:
        device = await self.devices.device_of_session(uow, identity)
        if device is None:
            raise NotADevice
        return device.number

    def _entities(self) -> Conversations:
        if self.conversations is None:
            raise MessagingUnavailable
        return self.conversations
