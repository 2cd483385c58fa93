"""An event: something that happened to an entity, as a unit of work publishes it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from cluster.ids import new_id
from cluster.trace import current_traceparent, new_traceparent


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `type` is ``topic.name_in_past_tense``; `key` is the entity it happened to.

    Events of one topic and key are handled in the order in which they were published. `version` is that of the
    payload's shape. `traceparent` is the trace of the request that published the event."""

    id: UUID
    type: str
    key: str
    payload: dict[str, Any]
    occurred_at: datetime
    traceparent: str
    version: int = 1

    @property
    def topic(self) -> str:
        return self.type.partition(".")[0]

    @property
    def name(self) -> str:
        return self.type.partition(".")[2]

    @classmethod
    def now(cls, type: str, key: str | UUID, payload: dict[str, Any], *, now: datetime, version: int = 1) -> "Event":
        """An event of the current trace, or of a new one. The payload holds JSON values only, and no secret."""
        return cls(new_id(now), type, str(key), payload, now, current_traceparent() or new_traceparent(), version)

    def encode(self) -> bytes:
        """The event as JSON, as the log keeps it."""
        return orjson.dumps(
            {
                "id": str(self.id),
                "type": self.type,
                "version": self.version,
                "key": self.key,
                "payload": self.payload,
                "occurred_at": self.occurred_at,
                "traceparent": self.traceparent,
            }
        )

    @classmethod
    def decode(cls, raw: bytes | str) -> "Event":
        """The event behind `encode()`."""
        return cls.load(orjson.loads(raw))

    @classmethod
    def load(cls, value: dict[str, Any]) -> "Event":
        """The event behind the parsed JSON of `encode()`."""
        return cls(
            UUID(value["id"]),
            value["type"],
            value["key"],
            value["payload"],
            datetime.fromisoformat(value["occurred_at"]),
            value["traceparent"] or new_traceparent(),
            value.get("version", 1),
        )
