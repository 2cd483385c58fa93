"""A pair conversation: who may send, in which order messages come, and which were sent before. Pure.

Accounts, sessions and client ids are their 16 bytes here. Times are in microseconds since 1970.

The number of a message is the time at which it is stored, or one more than the last number where the clock is behind:
so numbers increase through every loss of memory, and no counter is stored with each message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

from features.messaging.model import MemberState
from features.messaging.policy import MessagingPolicy

MICROSECONDS = 1_000_000


class Address(NamedTuple):
    """A device: its account and its number there."""

    account: bytes
    number: int


class Payload(NamedTuple):
    """Ciphertext for one device."""

    account: bytes
    number: int
    ciphertext: bytes


class Accepted(NamedTuple):
    """A message as it is remembered, so that its repetition is answered alike."""

    seq: int
    sender: Address
    client_id: bytes
    digest: bytes
    sent_at: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message to store and deliver. `previous`: for each payload, the newest message before that is not of its
    device, 0 if that is not known."""

    accepted: Accepted
    payloads: tuple[Payload, ...]
    previous: tuple[int, ...]
    expires_at: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A message as a client sends it."""

    client_id: bytes
    payloads: tuple[Payload, ...]
    expires_in_s: int | None = None

    def digest(self) -> bytes:
        """Returns 16 bytes that tell the content from any other, in whatever order the payloads are."""
        hashed = blake2b(digest_size=16)
        hashed.update((-1 if self.expires_in_s is None else self.expires_in_s).to_bytes(8, "big", signed=True))
        for account, number, ciphertext in sorted(self.payloads):
            hashed.update(account + number.to_bytes(4, "big") + len(ciphertext).to_bytes(4, "big") + ciphertext)
        return hashed.digest()


@dataclass(frozen=True, slots=True)
class Stored:
    """What Postgres has of a conversation. `accepted` are messages of the time in which they are remembered, oldest
    first."""

    members: Mapping[bytes, MemberState]
    devices: Mapping[Address, bytes]
    """The session of each device of the members."""
    apart: bool
    accepted: Sequence[Accepted] = ()


class SendRefused(Exception):
    """A message or change that cannot be accepted. `code` goes to the caller, with `detail`."""

    code = ""

    def __init__(self, detail: Any = None) -> None:
        super().__init__(self.code)
        self.detail = detail


class NotFound(SendRefused):
    """No such conversation for this account: it does not exist, or its members are apart."""

    code = "not_found"


class NotADevice(SendRefused):
    """The session is that of no device."""

    code = "not_a_device"


class IdReused(SendRefused):
    """The client id is that of another message: `detail` has its number and time."""

    code = "id_reused"


class DevicesChanged(SendRefused):
    """A message addresses exactly the devices in `detail`: all of the members but the sending one."""

    code = "devices_changed"


class NotAccepted(SendRefused):
    """As many messages wait for the other's acceptance of the conversation as are allowed."""

    code = "not_accepted"


class Unreachable(SendRefused):
    """The other member has no device."""

    code = "unreachable"


class NotRequested(SendRefused):
    """There is nothing to decline."""

    code = "not_requested"


class Conversation:
    """One pair conversation."""

    __slots__ = ("_another", "_newest", "_recent", "_typed", "apart", "devices", "last", "members", "pending", "policy")

    def __init__(self, policy: MessagingPolicy) -> None:
        self.policy = policy
        self.members: dict[bytes, MemberState] = {}
        """Empty: there is no such conversation."""
        self.devices: dict[Address, bytes] = {}
        self.apart = False
        self.last = 0
        self.pending = 0
        """Messages of the time in which they are remembered."""
        self._newest: tuple[Address, int] | None = None
        """Sender and number of the last message."""
        self._another: tuple[Address, int] | None = None
        """Those of the last message of another sender."""
        self._recent: dict[Address, dict[bytes, Accepted]] = {}
        self._typed: dict[bytes, int] = {}
        """When each member was last reported to be typing. Not saved."""

    def load(self, stored: Stored) -> None:
        """Replaces the state by what is stored."""
        self.members, self.devices, self.apart = dict(stored.members), dict(stored.devices), stored.apart
        self._newest, self._another, self._recent, self.pending = None, None, {}, 0
        for accepted in stored.accepted:
            self._remember(accepted)

    def save(self) -> list[Any]:
        """Returns the state, as a value of format 1 (msgpack types only)."""
        recent = [accepted for sent in self._recent.values() for accepted in sent.values()]
        return [
            {account: state.value for account, state in self.members.items()},
            [[*address, session] for address, session in self.devices.items()],
            self.apart,
            [self.last, self.pending, self._newest, self._another],
            [[seq, *sender, client_id, digest, sent_at] for seq, sender, client_id, digest, sent_at in sorted(recent)],
        ]

    @classmethod
    def restore(cls, policy: MessagingPolicy, saved: list[Any]) -> Conversation:
        """Returns the conversation of what `save` returned."""
        members, devices, apart, (last, pending, newest, another), recent = saved
        conversation = cls(policy)
        conversation.load(
            Stored(
                {account: MemberState(state) for account, state in members.items()},
                {Address(account, number): session for account, number, session in devices},
                apart,
                [Accepted(row[0], Address(row[1], row[2]), *row[3:]) for row in recent],
            )
        )
        conversation.last, conversation.pending = last, pending
        conversation._newest, conversation._another = _sender_and_number(newest), _sender_and_number(another)
        return conversation

    def send(self, account: bytes, session: bytes, draft: Draft, now: int) -> Accepted | Message:
        """Accepts a message: returns it, to be stored and delivered. Returns what was accepted before if the device
        sends it again. The sender accepts the conversation by it. Raises SendRefused."""
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
        others = {member: state for member, state in self.members.items() if member != account}
        waits = any(state is not MemberState.ACTIVE for state in others.values())
        if waits and self.pending >= self.policy.max_request_messages:
            raise NotAccepted
        self.members[account] = MemberState.ACTIVE
        accepted = Accepted(max(self.last + 1, now), sender, draft.client_id, digest, now)
        declined = {member for member, state in others.items() if state is MemberState.DECLINED}
        payloads = tuple(payload for payload in draft.payloads if payload.account not in declined)
        previous = tuple(self._previous(Address(payload.account, payload.number)) for payload in payloads)
        self._remember(accepted)
        return Message(accepted, payloads, previous, now + self._kept(draft.expires_in_s))

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
        if any(state is not MemberState.ACTIVE for state in self.members.values()) or (
            last is not None and 0 <= now - last < pause
        ):
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

    def _previous(self, device: Address) -> int:
        for message in (self._newest, self._another):
            if message is not None and message[0] != device:
                return message[1]
        return 0

    def _kept(self, expires_in_s: int | None) -> int:
        longest = int(self.policy.undelivered.total_seconds())
        return min(longest, longest if expires_in_s is None else expires_in_s) * MICROSECONDS

    def _remember(self, accepted: Accepted) -> None:
        self.last = max(self.last, accepted.seq)
        self.pending += 1
        if self._newest is not None and self._newest[0] != accepted.sender:
            self._another = self._newest
        self._newest = accepted.sender, accepted.seq
        sent = self._recent.setdefault(accepted.sender, {})
        sent[accepted.client_id] = accepted
        while len(sent) > self.policy.remembered_per_device:
            del sent[next(iter(sent))]


def _sender_and_number(saved: Sequence[Any] | None) -> tuple[Address, int] | None:
    return None if saved is None else (Address(*saved[0]), saved[1])
