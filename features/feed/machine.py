"""The timeline of one reader, in memory: which posts, newest first, and what the reader may see of whom.

Pure: it holds no text and knows no clock. A reader's timeline holds the posts of the reader's own and of those the
reader is tied to; the same machine, loaded with one author only, is the timeline of a heavy author, merged in when
their readers read. 27 bytes a post: 8 of time, 16 of id, 1 of audience, 2 of author.
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from struct import unpack
from typing import Any, Final

PUBLIC, CONNECTIONS, CLOSE_FRIENDS, LIST, ONLY_ME = (1 << bit for bit in range(5))
OWN: Final = 32
"""The reader is the author."""
EVERYTHING: Final = 63

ID_BYTES = 16
SNAPSHOT_VERSION = 1

Key = tuple[int, bytes]
"""Where a post stands: (microseconds since 1970, id)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A post as timelines know it."""

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
    """What a reader may see, as Postgres said when the timeline was loaded."""

    authors: dict[bytes, int]
    """Whose posts belong to the timeline, and to which audiences of each the reader belongs (bits)."""
    lists: frozenset[bytes] = frozenset()
    """Lists of other people on which the reader is."""
    parted: frozenset[bytes] = frozenset()
    """Whom a block parts from the reader."""
    heavy: frozenset[bytes] = frozenset()
    """Those of the authors whose posts are not delivered."""


def split_ids(ids: bytes | bytearray) -> tuple[bytes, ...]:
    """Ids that stand in a row. (struct is the fastest way: a page is split at every read.)"""
    return unpack(f"{ID_BYTES}s" * (len(ids) // ID_BYTES), ids)


def may_see(rights: int, audience: int, list_id: bytes, lists: frozenset[bytes] | set[bytes]) -> bool:
    """features.posts.privacy.may_see over bits: whether somebody with these rights for the author sees the post."""
    return bool(rights & audience) and (audience != LIST or bool(rights & OWN) or list_id in lists)


@dataclass(frozen=True, slots=True)
class Page:
    """Some posts, newest first: ids, and the reader's rights for the author of each."""

    ids: Sequence[bytes]
    rights: bytes
    last: Key | None
    """Where the last of them stands."""
    whole: bool
    """The timeline holds none that stand before the last of these."""
    older: bool
    """That is so because it is not kept further back."""
    lists: frozenset[bytes] = frozenset()
    parted: frozenset[bytes] = frozenset()
    heavy: dict[bytes, int] = field(default_factory=dict)
    """Authors whose own timelines are to be merged in, and the rights for each."""


class Timeline:
    """Posts in ascending order (what is new is appended)."""

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
        """Of a heavy author's timeline: every reader knows that it is to be merged in."""
        self.forget()

    def __len__(self) -> int:
        return len(self._at)

    def forget(self) -> None:
        """Drop everything: what was known may no longer be true."""
        self.loaded = False
        self._kept = 0
        self._rights = Rights({})
        self._floor: Key | None = None
        """Posts that stand here or before are not kept; None: there are none."""
        self._at = array("q")
        self._ids = bytearray()
        self._audience = bytearray()
        self._author = array("H")
        self._authors: list[bytes] = []
        """Those of the posts; `_author` has their numbers here, and `_masks` the reader's rights for each."""
        self._masks: list[int] = []
        self._index: dict[bytes, int] = {}

    def load(self, rights: Rights, newest_first: Sequence[Entry], kept: int) -> None:
        """What Postgres says now; at most `kept` posts are kept, more mean that there are older ones. Posts of authors
        whom the rights do not name (a tie that was made between the two statements) are left out."""
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
        """A post is new, or its audience changed: it enters, stays or leaves. False: this timeline is not loaded."""
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
        """A post is gone."""
        place, present = self._find(key)
        if present:
            self._delete(place)

    def grown_heavy(self, author: bytes) -> None:
        """From now on this author's posts are not delivered."""
        rights = self._rights
        if author in rights.authors and author not in rights.heavy:
            self._rights = Rights(rights.authors, rights.lists, rights.parted, rights.heavy | {author})

    def page(self, after: Key | None, limit: int, audiences: int = EVERYTHING) -> Page:
        """Up to `limit` posts that stand before `after`, of these audiences only."""
        end = len(self._at) if after is None else self._find(after)[0]
        if audiences == EVERYTHING:
            start = last = max(end - limit, 0)
            ids: Sequence[bytes] = split_ids(self._ids[start * ID_BYTES : end * ID_BYTES])[::-1]
            authors: Sequence[int] = self._author[start:end][::-1]
        else:
            shown = (place for place in range(end - 1, -1, -1) if self._audience[place] & audiences)
            places = [place for place, _ in zip(shown, range(limit), strict=False)]
            ids, authors = [self._id(place) for place in places], [self._author[place] for place in places]
            last = places[-1] if places else 0
        rights = self._rights
        return Page(
            ids=ids,
            rights=bytes(map(self._masks.__getitem__, authors)),
            last=(self._at[last], ids[-1]) if ids else None,
            whole=len(ids) < limit,
            older=len(ids) < limit and self._floor is not None,
            lists=rights.lists,
            parted=rights.parted,
            heavy={author: rights.authors[author] for author in rights.heavy},
        )

    def snapshot(self) -> Any:
        """Everything, as msgpack carries it."""
        rights = self._rights
        return [
            self.loaded,
            self.announced,
            self._kept,
            list(self._floor) if self._floor else None,
            [[author, mask] for author, mask in rights.authors.items()],
            *(sorted(people) for people in (rights.lists, rights.parted, rights.heavy)),
            [int(at) for at in self._at],
            bytes(self._ids),
            bytes(self._audience),
            list(self._author),
            self._authors,
        ]

    @classmethod
    def restore(cls, version: int, snapshot: Any) -> "Timeline":
        """Raises ValueError for a version that was never written."""
        if version != SNAPSHOT_VERSION:
            raise ValueError(f"timeline snapshot of version {version}")
        timeline = cls()
        timeline.loaded, timeline.announced, timeline._kept, *state = snapshot
        floor, authors, lists, parted, heavy, at, ids, audience, author, names = state
        timeline._floor = (floor[0], floor[1]) if floor else None
        masks = dict(authors)
        timeline._rights = Rights(masks, frozenset(lists), frozenset(parted), frozenset(heavy))
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
        """Where a post stands or would stand, and whether it is there."""
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
