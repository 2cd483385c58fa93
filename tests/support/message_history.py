"""Checks what clients of messaging saw. It knows nothing of servers: what they promise is all that it compares with.

Every message that was acknowledged reaches every device of a member once, in the order of its acknowledged number,
which is the same for all; nothing else is delivered or signalled; and all members of a group agree on its epochs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

Place = tuple[str, int]
"""A conversation, and a number in it."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A message that the server says is stored. `id`: it is its content, too. `epoch`: the one that it begins, if it is
    a commit."""

    device: str
    id: str
    place: Place
    epoch: int | None = None


@dataclass(slots=True)
class History:
    """What clients saw, in the order in which they saw it. A device is known by a name.

    `recipients`: all devices of each conversation. `inboxes`: what a device has read, again where it has not heard that
    its acknowledgement arrived, and which acknowledgements were confirmed. `signalled`: what its socket brought.
    """

    recipients: dict[str, set[str]] = field(default_factory=dict)
    sent: list[Acknowledged] = field(default_factory=list)
    inboxes: dict[str, list[Received | Done]] = field(default_factory=lambda: defaultdict(list))
    signalled: dict[str, list[Received]] = field(default_factory=lambda: defaultdict(list))
    epochs: list[Epoch] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Received:
    """A message as a device has it."""

    id: str
    place: Place


@dataclass(frozen=True, slots=True)
class Done:
    """The server has confirmed that a device has everything up to a place."""

    place: Place


@dataclass(frozen=True, slots=True)
class Epoch:
    """What a device believes that an epoch of a group is: `authenticator`, the same for all of its members."""

    device: str
    group: str
    number: int
    authenticator: bytes


def violations(history: History) -> list[str]:
    """Returns a sentence for everything that must not be. Everybody must have read until nothing was left."""
    return [*_acknowledged(history), *_delivered(history), *_signalled(history), *_epochs(history)]


def _acknowledged(history: History) -> Iterator[str]:
    """A device sends one message after the other, so their numbers increase, and no two messages have one."""
    newest: dict[tuple[str, str], int] = {}
    places = Counter(each.place for each in history.sent)
    ids = Counter(each.id for each in history.sent)
    yield from (f"{count} messages were acknowledged as {place}" for place, count in places.items() if count > 1)
    yield from (f"message {id} was acknowledged {count} times" for id, count in ids.items() if count > 1)
    for each in history.sent:
        conversation, number = each.place
        before = newest.get((each.device, conversation), -1)
        if number < before:
            yield f"{each.device}: {each.place} was acknowledged after {before}"
        newest[each.device, conversation] = number


def _delivered(history: History) -> Iterator[str]:
    acknowledged = {each.place: each for each in history.sent}
    expected: dict[str, set[Place]] = defaultdict(set)
    for each in history.sent:
        for device in history.recipients[each.place[0]] - {each.device}:
            expected[device].add(each.place)
    for device in history.inboxes.keys() | expected.keys():
        read: dict[Place, str] = {}
        newest, done = Counter[str](), Counter[str]()
        for event in history.inboxes[device]:
            conversation, number = event.place
            if isinstance(event, Done):
                done[conversation] = max(done[conversation], number)
                continue
            if number <= done[conversation]:
                yield f"{device}: {event.place} came again after it was acknowledged"
            if event.place in read:
                if read[event.place] != event.id:
                    yield f"{device}: {event.place} was another message before"
                continue
            if number < newest[conversation]:
                yield f"{device}: {event.place} came after {newest[conversation]}"
            newest[conversation] = max(newest[conversation], number)
            read[event.place] = event.id
            known = acknowledged.get(event.place)
            if known is None:
                yield f"{device}: {event.place} was never acknowledged"
            elif known.id != event.id:
                yield f"{device}: {event.place} is not the message that was acknowledged"
        yield from (f"{device}: {place} was lost" for place in sorted(expected[device] - read.keys()))
        twice = Counter(read.values())
        yield from (f"{device}: message {id} came {count} times" for id, count in twice.items() if count > 1)
        yield from (
            f"{device}: {place} is not for it" for place in read.keys() - expected[device] if place in acknowledged
        )


def _signalled(history: History) -> Iterator[str]:
    """What comes over a socket is stored: it is in the inbox, too, as the same message."""
    for device, signals in history.signalled.items():
        read = {(each.place, each.id) for each in history.inboxes[device] if isinstance(each, Received)}
        for each in signals:
            if (each.place, each.id) not in read:
                yield f"{device}: {each.place} was signalled, and is not in its inbox"


def _epochs(history: History) -> Iterator[str]:
    commits = Counter((each.place[0], each.epoch) for each in history.sent if each.epoch is not None)
    for (group, epoch), count in commits.items():
        if count > 1:
            yield f"{count} commits that begin epoch {epoch} of {group} were acknowledged"
    believed: dict[tuple[str, int], set[bytes]] = defaultdict(set)
    newest: dict[tuple[str, str], int] = {}
    for each in history.epochs:
        believed[each.group, each.number].add(each.authenticator)
        before = newest.get((each.device, each.group))
        if before is not None and each.number != before + 1:
            yield f"{each.device}: epoch {each.number} of {each.group} came after {before}"
        newest[each.device, each.group] = each.number
    for (group, number), authenticators in believed.items():
        if len(authenticators) > 1:
            yield f"epoch {number} of {group} was forked"
    for (device, group), number in newest.items():
        if number != max(last for (_, other), last in newest.items() if other == group):
            yield f"{device}: {group} ends in epoch {number}"
