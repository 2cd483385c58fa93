"""The data of relationships."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from features.paging import Cursor


@dataclass(frozen=True, slots=True)
class ListedPerson:
    """A person in a list of people, and since when."""

    person_id: UUID
    since: datetime

    def cursor(self) -> Cursor:
        return Cursor(self.since, self.person_id)


@dataclass(frozen=True, slots=True)
class Counts:
    """The number of people in an account's audience, and of audiences the account is in."""

    audience: int = 0
    following: int = 0


@dataclass(frozen=True, slots=True)
class RelationshipState:
    """The relationship of an account ("I") to another one, as far as the account may know it."""

    follows_me: bool = False
    """The other is in my audience."""
    followed_by_me: bool = False
    """I am in the other's audience."""
    muted: bool = False
    close_friend: bool = False
    """The other is among my close friends."""

    @property
    def friends(self) -> bool:
        """Each is in the other's audience."""
        return self.follows_me and self.followed_by_me


@dataclass(frozen=True, slots=True)
class AccountRelationship:
    """The relationship to an account, the account's counts, and whether the two are apart."""

    state: RelationshipState
    counts: Counts
    apart: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """The relationship of an account ("I") to another one, the counts of both, and whether the two are apart."""

    mine: Counts
    theirs: Counts
    state: RelationshipState
    apart: bool


@dataclass(frozen=True, slots=True)
class PeopleList:
    """A list of people that its owner shares posts with."""

    id: UUID
    name: str
    created_at: datetime
    members: int

    def cursor(self) -> Cursor:
        return Cursor(self.created_at, self.id)
