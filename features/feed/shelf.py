"""The posts a gateway has at hand, rendered: what most readers of a post get is the same bytes.

Who may see a post is decided at each read (home.py) from what stands beside the bytes. Not the same for every reader
are the list a post went to, which only its author is told, and mentions of people a block parts from the reader.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from features.feed.changes import Change
from features.feed.machine import Key
from features.posts.model import PostView


@dataclass(frozen=True, slots=True)
class Rendered:
    """A post as JSON, and what decides who gets it. Ids are 16 bytes."""

    key: Key
    """Where it stands in timelines."""
    author: bytes
    audience: int
    list_id: bytes
    mentions: frozenset[bytes]
    body: bytes

    @property
    def id(self) -> bytes:
        return self.key[1]


def json_of(view: PostView) -> bytes:
    """A post in a response; times end in Z."""
    return orjson.dumps(view, option=orjson.OPT_UTC_Z)


class Fetch:
    """Posts on their way from Postgres. What changes meanwhile is not kept."""

    __slots__ = ("changed", "missed")

    def __init__(self, missed: bool) -> None:
        self.changed: set[Change] = set()
        self.missed = missed

    def outdated(self, post: Rendered) -> bool:
        changed = self.changed
        return self.missed or (
            bool(changed)
            and (
                Change(b"p", post.id) in changed
                or Change(b"l", post.list_id) in changed
                or any(Change(b"a", person) in changed for person in (post.author, *post.mentions))
            )
        )


class Shelf:
    """The posts read last, as many as `room`. One per process."""

    def __init__(self, room: int = 20_000) -> None:
        self._room = room
        self._posts: OrderedDict[bytes, Rendered] = OrderedDict()
        self._fetches: set[Fetch] = set()
        self._about: dict[bytes, set[bytes]] = {}
        """Author, mentioned person or list -> posts here: a change must not look at all of them."""

    def __len__(self) -> int:
        return len(self._posts)

    def get(self, post_ids: Iterable[bytes]) -> list[Rendered | None]:
        """The posts, those that are at hand."""
        return list(map(self._posts.get, post_ids))

    def begin(self, *, current: bool) -> Fetch:
        """Before a statement reads posts to keep; `current` is whether changes are being followed."""
        fetch = Fetch(missed=not current)
        self._fetches.add(fetch)
        return fetch

    def end(self, fetch: Fetch, posts: list[Rendered]) -> None:
        """Keep what the statement read, without what changed since."""
        self._fetches.discard(fetch)
        for post in posts:
            if not fetch.outdated(post):
                self._drop(post.id)
                self._posts[post.id] = post
                for id in _about(post):
                    self._about.setdefault(id, set()).add(post.id)
        while len(self._posts) > self._room:
            self._drop(next(iter(self._posts)))

    def _drop(self, post_id: bytes) -> None:
        post = self._posts.pop(post_id, None)
        for id in _about(post) if post else ():
            self._about[id].discard(post_id)
            if not self._about[id]:
                del self._about[id]

    def changed(self, change: Change) -> None:
        """Forget what looks different now."""
        for fetch in self._fetches:
            fetch.changed.add(change)
        if change.kind == b"p":
            self._drop(change.id)
            return
        for post_id in list(self._about.get(change.id, ())):
            self._drop(post_id)

    def missed(self) -> None:
        """Forget everything, what is on its way too."""
        for fetch in self._fetches:
            fetch.missed = True
        self._posts.clear()
        self._about.clear()


def _about(post: Rendered) -> set[bytes]:
    return {post.author, *post.mentions, *((post.list_id,) if post.list_id else ())}
