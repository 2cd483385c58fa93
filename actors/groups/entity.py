"""The group entity: dispatches messages to the machine in features/groups.

An entity's id is the group's (32 hexadecimal digits). A message is a list: the name of the operation, whether the
caller has been told to call again, and the operation's arguments. Accounts, sessions and client ids are 16 bytes.

A refusal never comes from memory that is out of date: at the first call the entity reads what is stored and replies
None, which means "call again".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from actors.runtime import Effect, Reply, Value
from features.groups.machine import MICROSECONDS, Group
from features.groups.model import GroupContent
from features.groups.policy import GroupsPolicy
from features.groups.records import Accepted, Address, CheckedChange, Draft, Newest
from features.groups.refusals import Refusal

KIND_NAME = "groups"


@dataclass(frozen=True, slots=True)
class Store:
    """Store an application message, then signal it. `newest`: the last messages before it."""

    accepted: Accepted
    newest: Newest
    expires_at: int
    message: bytes


@dataclass(frozen=True, slots=True)
class Adopt:
    """Make a staged proposal or commit the group's, then signal it. `added`: the devices that a commit adds, `left`
    those that it removes, with their sessions: they are signalled, too."""

    accepted: Accepted
    newest: Newest
    expires_at: int
    staged: bytes
    content: GroupContent
    epoch: int
    added: tuple[Address, ...]
    left: tuple[tuple[Address, bytes], ...]


@dataclass(frozen=True, slots=True)
class SignalTyping:
    """Signal to the devices of the other members that this one is typing."""

    account: bytes


@dataclass(frozen=True, slots=True)
class Reload:
    """Read what is stored."""


class GroupEntity:
    """One Group as an entity."""

    __slots__ = ("group",)

    def __init__(self, group: Group) -> None:
        self.group = group

    def receive(self, message: Value, now: float) -> list[Effect]:
        """Executes one operation."""
        name, again, *arguments = message
        try:
            return _OPERATIONS[name](self.group, now, *arguments)
        except Refusal as refused:
            return [Reply([refused.code, refused.detail])] if again else [Reload(), Reply(None)]

    def snapshot(self) -> Value:
        return self.group.save()

    @classmethod
    def restore(cls, snapshot: Value, policy: GroupsPolicy) -> GroupEntity:
        """Returns the entity of a snapshot."""
        return cls(Group.restore(policy, snapshot))


def send(
    group: Group,
    now: float,
    account: bytes,
    session: bytes,
    client_id: bytes,
    digest: bytes,
    epoch: int,
    expires_in_s: int | None,
    message: bytes,
) -> list[Effect]:
    """Replies with the message's number, time and epoch once it is durable."""
    newest, time = group.newest, int(now * MICROSECONDS)
    accepted, new = group.send(account, session, Draft(client_id, digest, epoch, expires_in_s), time)
    effects: list[Effect] = [_posted(accepted)]
    if new:
        effects.append(Store(accepted, newest, group.expiry(expires_in_s, time), message))
    return effects


def change(
    group: Group,
    now: float,
    account: bytes,
    session: bytes,
    client_id: bytes,
    digest: bytes,
    content: str,
    version: int,
    epoch: int,
    staged: bytes,
    added: Sequence[Sequence[Any]],
    removed: Sequence[Sequence[Any]],
    joins: Sequence[Any] | None,
) -> list[Effect]:
    """Replies with the number, time and epoch of a proposal or commit once it is durable."""
    newest, time = group.newest, int(now * MICROSECONDS)
    gone = [Address(*each) for each in removed]
    left = tuple((each, group.devices[each]) for each in gone if each in group.devices)
    checked = CheckedChange(
        client_id,
        digest,
        version,
        epoch,
        content == GroupContent.COMMIT.value,
        {Address(other, number): bound for other, number, bound in added},
        gone,
        None if joins is None else Address(*joins),
    )
    accepted, new = group.change(account, session, checked, time)
    effects: list[Effect] = [_posted(accepted)]
    if new:
        kind, expires_at = GroupContent(content), group.expiry(None, time)
        effects.append(Adopt(accepted, newest, expires_at, staged, kind, epoch, tuple(checked.added), left))
    return effects


def typing(group: Group, now: float, account: bytes, session: bytes) -> list[Effect]:
    """Replies at once; has the others told unless they were just before."""
    told = group.typing(account, session, int(now * MICROSECONDS))
    return [Reply(["posted", None]), *([SignalTyping(account)] if told else [])]


def reload(_group: Group, _now: float) -> list[Effect]:
    """Replies once what was stored before the call is known."""
    return [Reload(), Reply(["posted", None])]


def _posted(accepted: Accepted) -> Reply:
    return Reply(["posted", [accepted.seq, accepted.sent_at, accepted.epoch]])


_OPERATIONS: dict[str, Callable[..., list[Effect]]] = {
    operation.__name__: operation for operation in (send, change, typing, reload)
}
