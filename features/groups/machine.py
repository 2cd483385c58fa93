"""A group: which devices are in it, its epoch, in which order messages come, and which were sent before. Pure.

Accounts, sessions and client ids are their 16 bytes here. Times are in microseconds since 1970. What proposals and
commits do was checked before (checking.py), against a version of the group: the machine accepts one only at that very
version, so each version has one successor, and each epoch one commit.

The number of a message is the time at which it is stored, or one more than the last number where the clock is behind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from features.groups.policy import GroupsPolicy
from features.groups.records import Accepted, Address, CheckedChange, Draft, Newest, Position, Stored
from features.groups.refusals import IdReused, NotFound, NotInGroup, Stale, WrongEpoch

MICROSECONDS = 1_000_000


class Group:
    """One group."""

    __slots__ = (
        "_another",
        "_members",
        "_newest",
        "_recent",
        "_sessions",
        "_typed",
        "devices",
        "epoch",
        "exists",
        "last",
        "policy",
        "version",
    )

    def __init__(self, policy: GroupsPolicy) -> None:
        self.policy = policy
        self.exists = False
        self.epoch = 0
        self.version = 0
        self.last = 0
        self.devices: dict[Address, bytes] = {}
        self._sessions: dict[bytes, Address] = {}
        self._members: Counter[bytes] = Counter()
        """How many devices each account has in the group."""
        self._newest: Position | None = None
        """Of the last message."""
        self._another: Position | None = None
        """Of the last message of another sender."""
        self._recent: dict[Address, dict[bytes, Accepted]] = {}
        self._typed: dict[bytes, int] = {}
        """When each account was last reported to be typing. Not saved."""

    def load(self, stored: Stored | None) -> None:
        """Replaces the state by what is stored; None: there is no such group."""
        self.exists = stored is not None
        found = stored or Stored(0, 0, {})
        self.epoch, self.version = found.epoch, found.version
        self.devices, self._sessions, self._members = {}, {}, Counter()
        self._newest, self._another, self._recent = None, None, {}
        self._add(found.devices)
        for accepted in found.accepted:
            self._remember(accepted)

    def save(self) -> list[Any]:
        """Returns the state, as a value of format 1 (msgpack types only)."""
        recent = [accepted for sent in self._recent.values() for accepted in sent.values()]
        return [
            [self.exists, self.epoch, self.version, self.last],
            [[*address, session] for address, session in self.devices.items()],
            [self._newest, self._another],
            [[seq, *sender, *rest] for seq, sender, *rest in sorted(recent)],
        ]

    @classmethod
    def restore(cls, policy: GroupsPolicy, saved: list[Any]) -> Group:
        """Returns the group of what `save` returned."""
        (exists, epoch, version, last), devices, (newest, another), recent = saved
        group = cls(policy)
        sessions = {Address(account, number): session for account, number, session in devices}
        accepted = [Accepted(seq, Address(account, number), *rest) for seq, account, number, *rest in recent]
        group.load(Stored(epoch, version, sessions, accepted) if exists else None)
        group.last = last
        group._newest, group._another = _position(newest), _position(another)
        return group

    @property
    def accounts(self) -> Iterable[bytes]:
        """The accounts with a device in the group."""
        return self._members.keys()

    def send(self, account: bytes, session: bytes, draft: Draft, now: int) -> tuple[Accepted, bool]:
        """Accepts an application message. Returns it, and whether it is new: a repeated one was stored before. Raises
        Refusal."""
        sender = self._sender(account, session)
        known = self._repeated(sender, draft.client_id, draft.digest)
        if known is not None:
            return known, False
        if draft.epoch != self.epoch:
            raise WrongEpoch(self.epoch)
        return self._accept(sender, draft.client_id, draft.digest, now), True

    def change(self, account: bytes, session: bytes, change: CheckedChange, now: int) -> tuple[Accepted, bool]:
        """Accepts a proposal or commit, at the version against which it was checked. Returns it, and whether it is
        new. Raises Refusal."""
        if change.joins is None:
            sender = self._sender(account, session)
        else:  # a device that comes in: its account is in the group
            if account not in self._members or change.joins.account != account:
                raise NotFound
            sender = change.joins
        known = self._repeated(sender, change.client_id, change.digest)
        if known is not None:
            return known, False
        if change.epoch != self.epoch:
            raise WrongEpoch(self.epoch)
        if change.version != self.version:
            raise Stale
        self.version += 1
        if change.commits:
            self.epoch += 1
        for address in change.removed:
            self._remove(address)
        self._add(change.added)
        return self._accept(sender, change.client_id, change.digest, now), True

    def typing(self, account: bytes, session: bytes, now: int) -> bool:
        """Returns whether the others are to be told that this account is typing: the group is not too large for that,
        and they were not told just before. Raises Refusal."""
        self._sender(account, session)
        pause = int(self.policy.typing_pause.total_seconds() * MICROSECONDS)
        last = self._typed.get(account)
        if len(self._members) > self.policy.typing_members or (last is not None and 0 <= now - last < pause):
            return False
        self._typed[account] = now
        return True

    def expiry(self, expires_in_s: int | None, now: int) -> int:
        """Returns until when a message waits for devices."""
        longest = int(self.policy.undelivered.total_seconds())
        return now + min(longest, longest if expires_in_s is None else expires_in_s) * MICROSECONDS

    @property
    def newest(self) -> Newest:
        """The last message of each of the last two senders."""
        return Newest(self._newest, self._another)

    def _sender(self, account: bytes, session: bytes) -> Address:
        if account not in self._members:
            raise NotFound
        address = self._sessions.get(session)
        if address is None or address.account != account:
            raise NotInGroup
        return address

    def _repeated(self, sender: Address, client_id: bytes, digest: bytes) -> Accepted | None:
        known = self._recent.get(sender, {}).get(client_id)
        if known is not None and known.digest != digest:
            raise IdReused([known.seq, known.sent_at, known.epoch])
        return known

    def _accept(self, sender: Address, client_id: bytes, digest: bytes, now: int) -> Accepted:
        accepted = Accepted(max(self.last + 1, now), sender, client_id, digest, now, self.epoch)
        self._remember(accepted)
        return accepted

    def _add(self, devices: Mapping[Address, bytes]) -> None:
        for address, session in devices.items():
            self._remove(address)
            self.devices[address] = session
            self._sessions[session] = address
            self._members[address.account] += 1

    def _remove(self, address: Address) -> None:
        session = self.devices.pop(address, None)
        if session is None:
            return
        if self._sessions.get(session) == address:
            del self._sessions[session]
        self._members[address.account] -= 1
        if not self._members[address.account]:
            del self._members[address.account]
            self._typed.pop(address.account, None)

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
