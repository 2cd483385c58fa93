"""The timeline of one reader in memory: the newest posts, and the reader's rights for each author.

Pure: it holds no text and reads no clock. A reader's timeline holds the posts of the reader and of the reader's
connections. Loaded with a single author, the same class is that author's own timeline, which is merged in at read for
high-fan-out authors. A post takes 27 bytes: 8 for the time, 16 for the id, 1 for the audience, 2 for the author.
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from struct import unpack
from typing import Any, Final

PUBLIC, CONNECTIONS, CLOSE_FRIENDS, LIST, ONLY_ME = (1 << bit for bit in range(5))
OWN: Final = 32
"""Bit of an author's rights for the author's own posts."""
EVERYTHING: Final = 63

ID_BYTES = 16
SNAPSHOT_VERSION = 2
"""Version 1 had no None for lists and blocked people that are too many to keep."""

Key = tuple[int, bytes]
"""The sort key of a post: (microseconds since 1970, id)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A post in a timeline."""

    at: int
    id: bytes
    author: bytes
    audience: int
    list_id: bytes = b""

    @property
    def key(self) -> Key:
        return self.at, self.id


@dataclass(frozen=True, slots=True)
class Rights:
    """What a reader may see, as of when the timeline was loaded."""

    authors: dict[bytes, int]
    """The authors of the timeline, and the audiences of each that the reader belongs to (bits)."""
    lists: frozenset[bytes] | None = frozenset()
    """The authors' lists that the reader is on. None: too many to be kept, Postgres is to be asked for those that a
    page needs."""
    blocked: frozenset[bytes] | None = frozenset()
    """People whom a block separates from the reader, in either direction. None: too many to be kept."""
    high_fan_out: frozenset[bytes] = frozenset()
    """The authors whose posts are not delivered but merged in."""


def split_ids(ids: bytes | bytearray) -> tuple[bytes, ...]:
    """Splits concatenated ids. (struct is the fastest way: a page is split at every read.)"""
    return unpack(f"{ID_BYTES}s" * (len(ids) // ID_BYTES), ids)


def may_see(rights: int, audience: int, list_id: bytes, lists: frozenset[bytes] | None) -> bool:
    """Returns whether a reader with these rights for the author may see the post (features.posts.privacy.may_see).
    Where `lists` are not known (None), whether the reader may see it if on the post's list."""
    return bool(rights & audience) and (audience != LIST or bool(rights & OWN) or lists is None or list_id in lists)


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """A page of a timeline, newest first: ids, and the reader's rights for the author of each."""

    ids: Sequence[bytes]
    rights: bytes
    last: Key | None
    """The key of the last post."""
    exhausted: bool
    """Whether the timeline holds no older posts."""
    truncated: bool
    """Whether it holds no older posts because it is not kept further back."""
    lists: frozenset[bytes] | None = frozenset()
    blocked: frozenset[bytes] | None = frozenset()
    """Those of `Rights`."""
    high_fan_out: dict[bytes, int] = field(default_factory=dict)
    """Authors whose own timelines are to be merged in, and the reader's rights for each."""
    times: Sequence[int] = ()
    """The times of the posts in microseconds since 1970; over the runtime only if they were asked for."""


class Timeline:
    """Posts in ascending order (new ones are appended)."""

    __slots__ = (
        "_at",
        "_audience",
        "_author",
        "_authors",
        "_floor",
        "_ids",
        "_index",
        "_kept",
        "_masks",
        "_rights",
        "announced",
        "loaded",
    )

    def __init__(self) -> None:
        self.announced = False
        """In a high-fan-out author's own timeline: whether every reader's timeline was told to merge it in."""
        self.forget()

    def __len__(self) -> int:
        return len(self._at)

    def forget(self) -> None:
        """Drops everything; the next read loads the timeline again."""
        self.loaded = False
        self._kept = 0
        self._rights = Rights({})
        self._floor: Key | None = None
        """The newest post that is not kept; None: all are."""
        self._at = array("q")
        self._ids = bytearray()
        self._audience = bytearray()
        self._author = array("H")
        self._authors: list[bytes] = []
        """The authors of the posts; `_author` holds indexes into this list, `_masks` the reader's rights for each."""
        self._masks: list[int] = []
        self._index: dict[bytes, int] = {}

    def forget_author(self, author: bytes) -> None:
        """Drops everything if this author's posts belong to the timeline: another account's changes are no reason."""
        if author in self._rights.authors:
            self.forget()

    def load(self, rights: Rights, newest_first: Sequence[Entry], kept: int) -> None:
        """Loads what Postgres returned. Keeps at most `kept` posts; one more means that there are older ones. Leaves
        out posts of authors without rights (a connection made between the two statements)."""
        self.forget()
        self.loaded = True
        self._kept = kept
        self._rights = rights
        if len(newest_first) > kept:
            self._floor = newest_first[kept].key
        for entry in reversed(newest_first[:kept]):
            if entry.author in rights.authors:
                self._insert(len(self._at), entry)

    def put(self, entry: Entry) -> bool:
        """Adds, updates or removes a post that is new or whose audience changed. Returns False if the timeline is not
        loaded."""
        if not self.loaded:
            return False
        rights = self._rights.authors.get(entry.author)
        if rights is None or (self._floor is not None and entry.key <= self._floor):
            return True
        place, present = self._find(entry.key)
        if not may_see(rights, entry.audience, entry.list_id, self._rights.lists):
            if present:
                self._delete(place)
        elif present:
            self._audience[place] = entry.audience
        else:
            self._insert(place, entry)
            if len(self._at) > self._kept:
                self._floor = self._key(0)
                self._delete(0)
        return True

    def remove(self, key: Key) -> None:
        """Removes a post."""
        place, present = self._find(key)
        if present:
            self._delete(place)

    def mark_high_fan_out(self, author: bytes) -> None:
        """Merges this author's posts at read from now on."""
        rights = self._rights
        if author in rights.authors and author not in rights.high_fan_out:
            self._rights = Rights(rights.authors, rights.lists, rights.blocked, rights.high_fan_out | {author})

    def page(self, after: Key | None, limit: int, audiences: int = EVERYTHING) -> TimelinePage:
        """Returns up to `limit` posts older than `after`, of these audiences only."""
        end = len(self._at) if after is None else self._find(after)[0]
        start = last = max(end - limit, 0)
        if audiences == EVERYTHING or all(map(audiences.__and__, self._audience[start:end])):
            ids: Sequence[bytes] = split_ids(self._ids[start * ID_BYTES : end * ID_BYTES])[::-1]
            authors: Sequence[int] = self._author[start:end][::-1]
            times: Sequence[int] = self._at[start:end][::-1]
        else:
            shown = (place for place in range(end - 1, -1, -1) if self._audience[place] & audiences)
            places = [place for place, _ in zip(shown, range(limit), strict=False)]
            ids, authors = [self._id(place) for place in places], [self._author[place] for place in places]
            times = [self._at[place] for place in places]
            last = places[-1] if places else 0
        rights = self._rights
        return TimelinePage(
            ids=ids,
            rights=bytes(map(self._masks.__getitem__, authors)),
            last=(self._at[last], ids[-1]) if ids else None,
            exhausted=len(ids) < limit,
            truncated=len(ids) < limit and self._floor is not None,
            lists=rights.lists,
            blocked=rights.blocked,
            high_fan_out={author: rights.authors[author] for author in rights.high_fan_out},
            times=times,
        )

    def snapshot(self) -> Any:
        """Returns everything as msgpack types."""
        rights = self._rights
        return [
            self.loaded,
            self.announced,
            self._kept,
            list(self._floor) if self._floor else None,
            [[author, mask] for author, mask in rights.authors.items()],
            *(None if ids is None else sorted(ids) for ids in (rights.lists, rights.blocked, rights.high_fan_out)),
            [int(at) for at in self._at],
            bytes(self._ids),
            bytes(self._audience),
            list(self._author),
            self._authors,
        ]

    @classmethod
    def restore(cls, version: int, snapshot: Any) -> "Timeline":
        """Returns the timeline of a snapshot. Raises ValueError for an unknown version."""
        if version not in {1, SNAPSHOT_VERSION}:
            raise ValueError(f"timeline snapshot of version {version}")
        timeline = cls()
        timeline.loaded, timeline.announced, timeline._kept, *state = snapshot
        floor, authors, lists, blocked, high_fan_out, at, ids, audience, author, names = state
        timeline._floor = (floor[0], floor[1]) if floor else None
        masks = dict(authors)
        timeline._rights = Rights(masks, _ids(lists), _ids(blocked), frozenset(high_fan_out))
        timeline._at, timeline._author = array("q", at), array("H", author)
        timeline._ids, timeline._audience = bytearray(ids), bytearray(audience)
        timeline._authors = list(names)
        timeline._masks = [masks[name] for name in names]
        timeline._index = {name: number for number, name in enumerate(names)}
        return timeline

    def _id(self, place: int) -> bytes:
        return bytes(self._ids[place * ID_BYTES : (place + 1) * ID_BYTES])

    def _key(self, place: int) -> Key:
        return self._at[place], self._id(place)

    def _find(self, key: Key) -> tuple[int, bool]:
        """Returns the index of a post, or where it would be inserted, and whether it is present."""
        place = bisect_left(self._at, key[0])
        while place < len(self._at) and self._key(place) < key:
            place += 1
        return place, place < len(self._at) and self._key(place) == key

    def _insert(self, place: int, entry: Entry) -> None:
        author = self._index.get(entry.author)
        if author is None:
            author = self._index[entry.author] = len(self._authors)
            self._authors.append(entry.author)
            self._masks.append(self._rights.authors[entry.author])
        self._at.insert(place, entry.at)
        self._ids[place * ID_BYTES : place * ID_BYTES] = entry.id
        self._audience.insert(place, entry.audience)
        self._author.insert(place, author)

    def _delete(self, place: int) -> None:
        del self._at[place], self._audience[place], self._author[place]
        del self._ids[place * ID_BYTES : (place + 1) * ID_BYTES]


def _ids(ids: list[bytes] | None) -> frozenset[bytes] | None:
    return None if ids is None else frozenset(ids)
