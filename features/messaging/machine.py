"""A pair conversation: who may send, in which order messages come, and which were sent before. Pure.

Accounts, sessions and client ids are their 16 bytes here. Times are in microseconds since 1970.

The number of a message is the time at which it is stored, or one more than the last number where the clock is behind:
so numbers increase through every loss of memory, and no counter is stored with each message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from features.messaging.mailboxes import Mailboxes
from features.messaging.model import MemberState
from features.messaging.policy import MessagingPolicy
from features.messaging.records import Accepted, Address, Basis, Draft, Message, Payload, Position, Stored
from features.messaging.refusals import (
    DevicesChanged,
    IdReused,
    MailboxFull,
    NotAccepted,
    NotADevice,
    NotCounted,
    NotFound,
    NotRequested,
    Unreachable,
)

MICROSECONDS = 1_000_000


class Conversation:
    """One pair conversation."""

    __slots__ = (
        *("_another", "_newest", "_recent", "_typed"),
        *("apart", "asked", "devices", "last", "mailboxes", "members", "policy"),
    )

    def __init__(self, policy: MessagingPolicy) -> None:
        self.policy = policy
        self.members: dict[bytes, MemberState] = {}
        """Empty: there is no such conversation."""
        self.devices: dict[Address, bytes] = {}
        self.apart = False
        self.last = 0
        self.asked = 0
        """Messages to a member who has not accepted the conversation."""
        self.mailboxes = Mailboxes(policy)
        self._newest: Position | None = None
        """Of the last message."""
        self._another: Position | None = None
        """Of the last message of another sender."""
        self._recent: dict[Address, dict[bytes, Accepted]] = {}
        self._typed: dict[bytes, int] = {}
        """When each member was last reported to be typing. Not saved."""

    def load(self, stored: Stored, now: int) -> None:
        """Replaces the state by what is stored."""
        self.members, self.devices, self.apart = dict(stored.members), dict(stored.devices), stored.apart
        self._newest, self._another, self._recent, self.asked = None, None, {}, stored.asked
        for accepted in stored.accepted:
            self._remember(accepted)
        if stored.waiting is not None:
            self.mailboxes.count(stored.waiting, now)

    def save(self) -> list[Any]:
        """Returns the state, as a value of format 1 (msgpack types only)."""
        recent = [accepted for sent in self._recent.values() for accepted in sent.values()]
        return [
            {account: state.value for account, state in self.members.items()},
            [[*address, session] for address, session in self.devices.items()],
            self.apart,
            [self.last, self.asked, self._newest, self._another],
            [[seq, *sender, client_id, digest, sent_at] for seq, sender, client_id, digest, sent_at in sorted(recent)],
        ]

    @classmethod
    def restore(cls, policy: MessagingPolicy, saved: list[Any]) -> Conversation:
        """Returns the conversation of what `save` returned."""
        members, devices, apart, (last, asked, newest, another), recent = saved
        conversation = cls(policy)
        conversation.load(
            Stored(
                {account: MemberState(state) for account, state in members.items()},
                {Address(account, number): session for account, number, session in devices},
                apart,
                [Accepted(seq, Address(account, number), *rest) for seq, account, number, *rest in recent],
                asked,
            ),
            0,
        )
        conversation.last = last
        conversation._newest, conversation._another = _position(newest), _position(another)
        return conversation

    def send(
        self, account: bytes, session: bytes, draft: Draft, now: int, *, counted: bool = False
    ) -> Accepted | Message:
        """Accepts a message: returns it, to be stored and delivered. Returns what was accepted before if the device
        sends it again. The sender accepts the conversation by it. `counted`: what waits for devices was counted for
        this message. Raises SendRefused."""
        if account not in self.members:
            raise NotFound
        sender = self._device(account, session)
        digest = draft.digest()
        known = self._recent.get(sender, {}).get(draft.client_id)
        if known is not None:
            if known.digest != digest:
                raise IdReused([known.seq, known.sent_at])
            return known
        if self.apart:
            raise NotFound
        self._check_addressed(sender, draft)
        if not self.mailboxes.counted:
            raise NotCounted
        [other] = (member for member in self.members if member != account)
        asks = self.members[other] is not MemberState.ACTIVE
        if asks and self.asked >= self.policy.max_request_messages:
            raise NotAccepted
        payloads, full = self._with_room(draft, other, asks=asks)
        if full and not (counted or self.mailboxes.fresh(now)):
            raise NotCounted
        if self.members[other] is not MemberState.DECLINED and all(each.account != other for each in payloads):
            raise MailboxFull
        self._set_state(account, MemberState.ACTIVE)
        self.asked += asks
        accepted = Accepted(max(self.last + 1, now), sender, draft.client_id, digest, now)
        previous = tuple(self._previous(Address(payload.account, payload.number)) for payload in payloads)
        self._remember(accepted)
        for payload in payloads:
            self.mailboxes.add(payload)
        basis = Basis(session, other, len(self.devices), sum(address.number for address in self.devices))
        return Message(accepted, payloads, previous, now + self._kept(draft.expires_in_s), basis, full)

    @property
    def waits(self) -> bool:
        """Whether a member has not accepted the conversation."""
        return any(state is not MemberState.ACTIVE for state in self.members.values())

    def typing(self, account: bytes, session: bytes, now: int) -> bool:
        """Returns whether the other member is to be told that this one is typing: both have accepted the conversation,
        and it was not told just before. The caller does not learn which. Raises NotFound, NotADevice."""
        if account not in self.members:
            raise NotFound
        self._device(account, session)
        if self.apart:
            raise NotFound
        pause = int(self.policy.typing_pause.total_seconds() * MICROSECONDS)
        last = self._typed.get(account)
        if self.waits or (last is not None and 0 <= now - last < pause):
            return False
        self._typed[account] = now
        return True

    def accept(self, account: bytes) -> bool:
        """Returns whether that changes anything. Raises NotFound."""
        return self._set_state(account, MemberState.ACTIVE)

    def decline(self, account: bytes) -> bool:
        """Returns whether that changes anything. Raises NotFound, NotRequested."""
        if self.members.get(account) is MemberState.ACTIVE and not self.apart:
            raise NotRequested
        return self._set_state(account, MemberState.DECLINED)

    def _set_state(self, account: bytes, state: MemberState) -> bool:
        if account not in self.members or self.apart:
            raise NotFound
        changes = self.members[account] is not state
        self.members[account] = state
        if not self.waits:
            self.asked = 0
        return changes

    def _device(self, account: bytes, session: bytes) -> Address:
        for address, bound in self.devices.items():
            if bound == session and address.account == account:
                return address
        raise NotADevice

    def _check_addressed(self, sender: Address, draft: Draft) -> None:
        expected = self.devices.keys() - {sender}
        if not any(address.account != sender.account for address in expected):
            raise Unreachable
        addressed = {(payload.account, payload.number) for payload in draft.payloads}
        if addressed != expected or len(draft.payloads) != len(expected):
            raise DevicesChanged(sorted(expected))

    def _with_room(self, draft: Draft, other: bytes, *, asks: bool) -> tuple[tuple[Payload, ...], tuple[Address, ...]]:
        """Returns what is to be stored, and the devices that have no room for it. Who has declined is sent nothing."""
        declined = self.members[other] is MemberState.DECLINED
        wanted = [payload for payload in draft.payloads if not (declined and payload.account == other)]
        kept = tuple(payload for payload in wanted if self.mailboxes.has_room(payload, asks=asks))
        return kept, tuple(Address(each.account, each.number) for each in wanted if each not in kept)

    def _previous(self, device: Address) -> int:
        for message in (self._newest, self._another):
            if message is not None and message.sender != device:
                return message.seq
        return 0

    def _kept(self, expires_in_s: int | None) -> int:
        longest = int(self.policy.undelivered.total_seconds())
        return min(longest, longest if expires_in_s is None else expires_in_s) * MICROSECONDS

    def _remember(self, accepted: Accepted) -> None:
        self.last = max(self.last, accepted.seq)
        if self._newest is not None and self._newest.sender != accepted.sender:
            self._another = self._newest
        self._newest = Position(accepted.sender, accepted.seq)
        sent = self._recent.setdefault(accepted.sender, {})
        sent[accepted.client_id] = accepted
        while len(sent) > self.policy.remembered_per_device:
            del sent[next(iter(sent))]


def _position(saved: Sequence[Any] | None) -> Position | None:
    if saved is None:
        return None
    sender, seq = saved
    return Position(Address(*sender), seq)
