"""Typed events: what publishers write and consumers read, in features/<name>/events.py.

A type has a version. Every version that was ever published stays readable: tests/unit/features/golden/ has a file of
each. Within a version a field may be added that has a default. Any other change is a new version: its class reads the
former ones in `upgrade`, and only a release later does anybody publish it, since consumers of both releases run during
an update. What a consumer cannot read it tries again, and then keeps as a dead letter.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from pydantic import TypeAdapter, ValidationError

from cluster.events.consumer import Consumer, each
from cluster.events.event import Event
from cluster.postgres import UnitOfWork


class UnreadableEvent(Exception):
    """An event whose payload does not fit its type, or whose version is newer than this code."""


@dataclass(frozen=True, slots=True)
class EventBody:
    """The payload of a type of events. Fields hold what JSON can: ids, times, texts, numbers, enums, lists of these; no
    secret and no text that somebody wrote."""

    type: ClassVar[str]
    """``topic.name_in_past_tense``; the topic is the feature's name."""
    version: ClassVar[int] = 1
    key: ClassVar[str]
    """The field with the entity that it happened to: events of a topic and key are handled in their order."""

    @classmethod
    def upgrade(cls, event: Event) -> dict[str, Any]:
        """Returns the payload of a former version as one of the present version. Raises UnreadableEvent."""
        raise UnreadableEvent(f"{event.type} of version {event.version}")

    def event(self, now: datetime) -> Event:
        """Returns the event of the current trace."""
        payload = _adapter(type(self)).dump_python(self, mode="json")
        return Event.now(self.type, payload[self.key], payload, now=now, version=self.version)


B = TypeVar("B", bound=EventBody)


_adapters: dict[object, TypeAdapter[Any]] = {}


def _adapter(body: type[EventBody]) -> TypeAdapter[Any]:
    """Returns pydantic's reader and writer of a type, made at the first use."""
    if body not in _adapters:
        _adapters[body] = TypeAdapter(body)
    return _adapters[body]


def publish(uow: UnitOfWork, body: EventBody, now: datetime) -> None:
    """Publishes an event when the unit of work commits."""
    uow.publish(body.event(now))


def read(body: type[B], event: Event) -> B:
    """Returns the body of an event of this type. Raises UnreadableEvent."""
    payload = event.payload if event.version == body.version else body.upgrade(event)
    try:
        found: B = _adapter(body).validate_python(payload)
    except ValidationError as error:
        # Not the values: this ends up in logs.
        wrong = sorted({".".join(map(str, item["loc"])) for item in error.errors(include_url=False)})
        raise UnreadableEvent(f"{event.type} of version {event.version}: {', '.join(wrong)}") from None
    return found


def reader(bodies: Sequence[type[B]]) -> Callable[[Event], B | None]:
    """Returns a function that reads events of these types, and returns None for others."""
    by_type = {body.type: body for body in bodies}

    def read_one(event: Event) -> B | None:
        body = by_type.get(event.type)
        return None if body is None else read(body, event)

    return read_one


def consumer(
    name: str,
    bodies: Sequence[type[B]],
    handle: Callable[[UnitOfWork, B], Awaitable[None]],
    **options: Any,
) -> Consumer:
    """Returns a consumer of these types that handles events one by one. `options` are those of Consumer."""
    read_one = reader(bodies)

    async def handle_one(uow: UnitOfWork, event: Event) -> None:
        body = read_one(event)
        assert body is not None, f"{name} was given {event.type}"
        await handle(uow, body)

    return Consumer(name, frozenset(body.type for body in bodies), each(handle_one), **options)
