"""The data of profiles, and the syntax of usernames."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from features.profiles.errors import BadUsername, ReservedUsername
from features.relationships.model import Counts, RelationshipState

USERNAME_CHARACTERS = "[A-Za-z0-9_.]"
MIN_USERNAME_CHARACTERS = 3
MAX_USERNAME_CHARACTERS = 30

_USERNAME = re.compile(r"(?!.*\.\.)[a-z0-9_][a-z0-9_.]{1,28}[a-z0-9_]")


def canonical_username(text: str, *, reserved: frozenset[str] = frozenset()) -> str:
    """Returns the lower-case form of a new username, which must be unique: 3 to 30 letters, digits, underscores and
    single inner dots (a mention may end a sentence). Raises BadUsername, ReservedUsername."""
    username = text.lower()
    if not text.isascii() or not _USERNAME.fullmatch(username):
        raise BadUsername
    if username in reserved:
        raise ReservedUsername
    return username


class ProfileImage(TypedDict):
    """An image as it is stored with the profile that shows it. Sizes are in pixels."""

    id: str
    """Of the medium."""
    alt: str
    """What it shows, for people who do not see it; empty: not described."""
    width: int
    height: int
    blurhash: str
    widths: list[int]
    """Of its files, ascending."""


class Avatar(TypedDict):
    """The image of a person as lists and posts show it."""

    path: str
    """Where everybody reads its files, relative to the API's address."""
    blurhash: str
    widths: list[int]


@dataclass(frozen=True, slots=True)
class Images:
    """The images of a profile."""

    avatar: ProfileImage | None
    cover: ProfileImage | None


@dataclass(frozen=True, slots=True)
class Person:
    """An account as lists and posts show it."""

    id: UUID
    username: str
    name: str
    avatar: ProfileImage | None


@dataclass(frozen=True, slots=True)
class Profile:
    """A stored profile."""

    account_id: UUID
    username: str
    name: str
    bio: str
    pronouns: str
    links: tuple[str, ...]
    images: Images
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ProfileView:
    """A profile as one viewer sees it. `state` is None for anonymous viewers and for the viewer's own profile."""

    profile: Profile
    counts: Counts
    state: RelationshipState | None
