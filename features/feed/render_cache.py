"""The render cache of a gateway: posts as JSON, which most readers of a post receive as the same bytes.

Who may see a post is decided at each read (home.py) from what is stored beside the bytes. What differs between readers
is not cached: the list a post went to, which only its author sees; mentions and shared posts of people whom a block
separates from the reader; shared posts that are not public any more; polls, reactions, reposts, whether it is
saved and the number of comments, which have the reader's own or change all the time; all of that of a shared post, too.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from uuid import UUID

import orjson

from features.counters.model import Target, TargetKind
from features.feed.invalidations import Invalidation
from features.feed.machine import LIST, Key
from features.posts.model import PollDefinition, PollView, PostNumbers, PostView

_COUNTED = PostNumbers.__annotations__.keys()
_WITHOUT_POLL = b',"poll":null'
MARKED = tuple(
    b',"reposted":%s,"saved":%s' % (reposted, saved)
    for saved in (b"false", b"true")
    for reposted in (b"false", b"true")
)
"""What follows `RenderedPost.body` and `shared_body`, by whether the reader has reposted the post, plus 2 if the reader
has saved it. After that comes `Counted.json`."""


@dataclass(frozen=True)
class RenderedPost:
    """A post as JSON, and what decides who may see it. Ids are 16 bytes."""

    key: Key
    """Its position in timelines."""
    author: bytes
    audience: int
    list_id: bytes
    mentions: frozenset[bytes]
    body: bytes
    """Without what is counted, open at its end: `MARKED` and `Counted.json` make it whole."""
    poll: PollDefinition | None = None
    """The poll of the post, which `body` leaves out."""
    shared_poll: PollDefinition | None = None
    """That of the post that it shares, which `body` leaves out, too."""
    shared: bytes = b""
    """The post that it shares. Whom that mentions, and its author, are in `mentions`."""
    personal: bool = False
    """Whether it shares a post that not everybody may see: then it is rendered for each reader."""
    shared_body: bytes = b""
    """What comes before `body` if the post shares another one: as far as that goes, which is open at its end as `body`
    is."""

    # Cached, since a page asks each of its posts several times.
    @cached_property
    def id(self) -> bytes:
        return self.key[1]

    @cached_property
    def alike(self) -> bool:
        """Whether all who belong to its audience see it, and all of them the same."""
        return self.audience != LIST and not (self.list_id or self.mentions or self.personal)

    @cached_property
    def target(self) -> Target:
        """What its reactions and comments are counted for."""
        return Target(TargetKind.POST, UUID(bytes=self.id))

    @cached_property
    def shared_target(self) -> Target:
        """What those of the post that it shares are counted for."""
        return Target(TargetKind.POST, UUID(bytes=self.shared))

    @cached_property
    def polls(self) -> dict[bytes, PollDefinition]:
        """The polls that `body` leaves out, by their posts."""
        both = ((self.id, self.poll), (self.shared, self.shared_poll))
        return {post_id: poll for post_id, poll in both if poll is not None}

    def with_polls(self, polls: Mapping[bytes, PollView]) -> "RenderedPost":
        """Returns the post with its polls as a reader sees them."""
        body, shared_body = self.body, self.shared_body
        if self.shared_poll is not None:
            shared_body = _with_poll(shared_body, polls[self.shared])
        if self.poll is not None:
            body = _with_poll(body, polls[self.id])
        return replace(self, body=body, shared_body=shared_body, poll=None, shared_poll=None)


def _with_poll(body: bytes, poll: PollView) -> bytes:
    assert body.endswith(_WITHOUT_POLL)
    return b'%s,"poll":%s' % (body.removesuffix(_WITHOUT_POLL), orjson.dumps(poll))


def json_of(view: PostView) -> bytes:
    """Returns a post as JSON without what is counted of it, and without the last brace; times end in Z."""
    return _open({member: value for member, value in view.items() if member not in _COUNTED})


def bodies_of(view: PostView) -> tuple[bytes, bytes]:
    """Returns `shared_body` and `body` of a post."""
    if view["shared"] is None or view["shared"]["post"] is None:
        return b"", json_of(view)
    content = {member: value for member, value in view.items() if member not in _COUNTED | {"shared", "poll"}}
    shared = {member: value for member, value in view["shared"]["post"].items() if member not in _COUNTED}
    start = b'%s,"shared":{"kind":"%s","post":' % (_open(content), view["shared"]["kind"].encode())
    return start + _open(shared), b"}" + _WITHOUT_POLL


def _open(members: Mapping[str, object]) -> bytes:
    return orjson.dumps(members, option=orjson.OPT_UTC_Z)[:-1]


class Fetch:
    """A read of posts from Postgres in progress. Posts that are invalidated meanwhile are not cached."""

    __slots__ = ("cleared", "invalidations")

    def __init__(self, cleared: bool) -> None:
        self.invalidations: set[Invalidation] = set()
        self.cleared = cleared

    def outdated(self, post: RenderedPost) -> bool:
        """Returns whether the post was invalidated since the read began."""
        found = self.invalidations
        return self.cleared or (
            bool(found)
            and (
                Invalidation(b"p", post.id) in found
                or Invalidation(b"p", post.shared) in found
                or Invalidation(b"l", post.list_id) in found
                or any(Invalidation(b"a", person) in found for person in (post.author, *post.mentions))
            )
        )


class RenderCache:
    """Up to `capacity` rendered posts, one cache per process. When it is full, the post read longest ago is dropped."""

    def __init__(self, capacity: int = 20_000) -> None:
        self._capacity = capacity
        self._posts: OrderedDict[bytes, RenderedPost] = OrderedDict()
        self._fetches: set[Fetch] = set()
        self._dependents: dict[bytes, set[bytes]] = {}
        """Author, mentioned person, list or shared post -> cached posts, so that an invalidation need not scan all."""

    def __len__(self) -> int:
        return len(self._posts)

    def get(self, post_ids: Sequence[bytes]) -> list[RenderedPost | None]:
        """Returns the cached posts, None for those that are not cached, and keeps them longest."""
        posts = [*map(self._posts.get, post_ids)]
        for id in post_ids if all(posts) else [post.id for post in posts if post]:
            self._posts.move_to_end(id)
        return posts

    def begin(self, *, current: bool) -> Fetch:
        """Starts a fetch; call it before the statement. `current` says whether invalidations are being followed."""
        fetch = Fetch(cleared=not current)
        self._fetches.add(fetch)
        return fetch

    def end(self, fetch: Fetch, posts: list[RenderedPost]) -> None:
        """Ends a fetch and caches its posts, except those invalidated since it began."""
        self._fetches.discard(fetch)
        for post in posts:
            if not fetch.outdated(post):
                self._drop(post.id)
                self._posts[post.id] = post
                for id in _dependencies(post):
                    self._dependents.setdefault(id, set()).add(post.id)
        while len(self._posts) > self._capacity:
            self._drop(next(iter(self._posts)))

    def _drop(self, post_id: bytes) -> None:
        post = self._posts.pop(post_id, None)
        for id in _dependencies(post) if post else ():
            self._dependents[id].discard(post_id)
            if not self._dependents[id]:
                del self._dependents[id]

    def invalidate(self, invalidation: Invalidation) -> None:
        """Drops the posts that the invalidation concerns."""
        if invalidation.kind in {b"t", b"r", b"v"}:
            return
        for fetch in self._fetches:
            fetch.invalidations.add(invalidation)
        if invalidation.kind == b"p":
            self._drop(invalidation.id)
        for post_id in list(self._dependents.get(invalidation.id, ())):
            self._drop(post_id)

    def clear(self) -> None:
        """Drops everything, posts being fetched included."""
        for fetch in self._fetches:
            fetch.cleared = True
        self._posts.clear()
        self._dependents.clear()


def _dependencies(post: RenderedPost) -> set[bytes]:
    return {post.author, *post.mentions, *(id for id in (post.list_id, post.shared) if id)}
