"""The data of relationships."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from features.errors import Invalid, NotFound
from features.paging import Cursor


def no_such_person() -> NotFound:
    """The one answer for somebody unknown, deleted or blocked either way: it gives nothing away."""
    return NotFound("no_such_person", "There is no such person.")


def yourself() -> Invalid:
    return Invalid("yourself", "This is yourself.", field="username")


@dataclass(frozen=True, slots=True)
class Tie:
    """Somebody on a list of people, since when."""

    person_id: UUID
    since: datetime

    def cursor(self) -> Cursor:
        return Cursor(self.since, self.person_id)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many people see what a person shares with connections, and in how many audiences the person is."""

    audience: int = 0
    following: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How one person ("I") stands to another, as far as I may know it."""

    follows_me: bool = False
    """The other is in my audience."""
    followed_by_me: bool = False
    """I am in the other's audience."""
    muted: bool = False
    close_friend: bool = False
    """I count the other among my close friends."""

    @property
    def friends(self) -> bool:
        """Each is in the other's audience."""
        return self.follows_me and self.followed_by_me


@dataclass(frozen=True, slots=True)
class Held:
    """Two people whose ties are locked until the unit of work ends."""

    mine: Counts
    theirs: Counts
    standing: Standing


@dataclass(frozen=True, slots=True)
class PeopleList:
    """A list of people that its owner made, to share things with."""

    id: UUID
    name: str
    created_at: datetime
    members: int

    def cursor(self) -> Cursor:
        return Cursor(self.created_at, self.id)
