"""The data of counters."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TypedDict
from uuid import UUID

import orjson

from features.paging import Cursor
from features.profiles.model import Person


class TargetKind(StrEnum):
    """What people react to."""

    POST = "post"
    COMMENT = "comment"
    STORY = "story"


@dataclass(frozen=True)
class Target:
    """Something that people react to. Ids are unique over all kinds."""

    kind: TargetKind
    id: UUID

    @cached_property
    def name(self) -> str:
        """The kind, a colon and the id in hexadecimal."""
        return f"{self.kind}:{self.id.hex}"


class ReactionKind(StrEnum):
    """The kinds of reactions. A person has at most one to a target."""

    LIKE = "like"
    LOVE = "love"
    CARE = "care"
    HAHA = "haha"
    WOW = "wow"
    SAD = "sad"
    ANGRY = "angry"


COMMENTS = "comments"
"""The name of the count of comments on a post, and of replies to a comment."""
REPOSTS = "reposts"
QUOTES = "quotes"
"""Of a post; of quotes, the public ones."""

VIEWERS = "viewers"
"""The name of the count of people who have seen a story."""

REACTION_KINDS = tuple(str(kind) for kind in ReactionKind)


@dataclass(frozen=True)
class Counted:
    """The counts of a target by name (a kind of reaction), without zeros, and the viewer's own reaction to it."""

    counts: Mapping[str, int]
    own: str | None = None

    @cached_property
    def json(self) -> bytes:
        """The end of a post in JSON: a comma, the members `comments`, `reposts`, `quotes` and `reactions`, and the
        brace."""
        numbers = b',"comments":%d,"reposts":%d,"quotes":%d' % tuple(
            self.counts.get(name, 0) for name in (COMMENTS, REPOSTS, QUOTES)
        )
        return b'%s,"reactions":%s}' % (numbers, orjson.dumps(reactions_view(self)))


NOTHING_COUNTED = Counted({})


class ReactionsView(TypedDict):
    """The reactions to a target as one viewer sees them: JSON, member by member and in this order."""

    total: int
    counts: dict[str, int]
    """Of every kind, zeros included."""
    own: str | None
    """The kind of the viewer's own reaction."""


def reactions_view(counted: Counted) -> ReactionsView:
    """Returns the reactions among what is counted."""
    counts = {kind: counted.counts.get(kind, 0) for kind in REACTION_KINDS}
    return {"total": sum(counts.values()), "counts": counts, "own": counted.own}


@dataclass(frozen=True, slots=True)
class Reactor:
    """Somebody who reacted, how, and when."""

    person: Person
    kind: ReactionKind
    at: datetime

    def cursor(self) -> Cursor:
        return Cursor(self.at, self.person.id)
