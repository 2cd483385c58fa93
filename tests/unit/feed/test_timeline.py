"""The timeline compared with a plain list of all posts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgpack
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.feeds.entity import page_from_wire, page_to_wire
from features.feed.machine import (
    CLOSE_FRIENDS,
    CONNECTIONS,
    EVERYTHING,
    LIST,
    ONLY_ME,
    PUBLIC,
    SNAPSHOT_VERSION,
    Entry,
    Key,
    Rights,
    Timeline,
    may_see,
)

GOLDEN = Path(__file__).with_name("golden")
PEOPLE = [bytes([number]) * 16 for number in range(4)]
LISTS = [bytes([100 + number]) * 16 for number in range(2)]
AUDIENCES = (PUBLIC, CONNECTIONS, CLOSE_FRIENDS, LIST, ONLY_ME)

ENTRIES = st.builds(
    lambda at, number, author, audience, list_id: Entry(
        at, bytes([number]) * 16, author, audience, list_id if audience == LIST else b""
    ),
    st.integers(0, 12),
    st.integers(0, 255),
    st.sampled_from(PEOPLE),
    st.sampled_from(AUDIENCES),
    st.sampled_from(LISTS),
)
RIGHTS = st.builds(
    Rights,
    st.dictionaries(st.sampled_from(PEOPLE), st.sampled_from([9, 11, 15, EVERYTHING])),
    st.frozensets(st.sampled_from(LISTS)),
    st.none() | st.frozensets(st.sampled_from(PEOPLE)),
)


class TimelineModel(RuleBasedStateMachine):
    """`posts` are all posts as they are now; a timeline shows the visible ones, as far back as it keeps them."""

    def __init__(self) -> None:
        super().__init__()
        self.timeline = Timeline()
        self.posts: dict[bytes, Entry] = {}
        self.rights = Rights({})

    def _visible(self) -> list[Entry]:
        rights = self.rights
        return sorted(
            (
                post
                for post in self.posts.values()
                if may_see(rights.authors.get(post.author, 0), post.audience, post.list_id, rights.lists)
            ),
            key=lambda post: post.key,
            reverse=True,
        )

    @rule(rights=RIGHTS, kept=st.integers(1, 6))
    def load(self, rights: Rights, kept: int) -> None:
        self.rights = rights
        self.timeline.load(rights, self._visible()[: kept + 1], kept)

    @rule(entry=ENTRIES)
    def publish(self, entry: Entry) -> None:
        if entry.id not in self.posts:
            self.posts[entry.id] = entry
            assert self.timeline.put(entry) == self.timeline.loaded

    @precondition(lambda self: self.posts)
    @rule(data=st.data(), audience=st.sampled_from(AUDIENCES))
    def change_audience(self, data: st.DataObject, audience: int) -> None:
        post = data.draw(st.sampled_from(sorted(self.posts.values(), key=lambda post: post.key)))
        changed = replace(post, audience=audience, list_id=LISTS[0] if audience == LIST else b"")
        self.posts[post.id] = changed
        self.timeline.put(changed)

    @precondition(lambda self: self.posts)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        post = data.draw(st.sampled_from(sorted(self.posts.values(), key=lambda post: post.key)))
        del self.posts[post.id]
        self.timeline.remove(post.key)

    @rule()
    def forget(self) -> None:
        self.timeline.forget()

    @rule()
    def move(self) -> None:
        """A shard moves to another host."""
        snapshot = msgpack.unpackb(msgpack.packb(self.timeline.snapshot()))
        self.timeline = Timeline.restore(SNAPSHOT_VERSION, snapshot)

    @invariant()
    def a_page_is_exact_or_says_that_it_ends_too_early(self) -> None:
        if not self.timeline.loaded:
            assert len(self.timeline) == 0
            return
        visible = self._visible()
        starts: list[Key | None] = [None, (5, bytes(16)), *(post.key for post in visible)]
        for after in starts:
            expected = [post for post in visible if after is None or post.key < after]
            for limit in (1, 3, 20):
                page = self.timeline.page(after, limit)
                shown = [post.id for post in expected][: len(page.ids)]
                assert list(page.ids) == shown
                assert list(page.rights) == [self.rights.authors[post.author] for post in expected[: len(page.ids)]]
                assert page.exhausted == (len(page.ids) < limit)
                if not page.truncated:
                    assert len(page.ids) == min(limit, len(expected))


TestTimeline = TimelineModel.TestCase
TestTimeline.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


def _timeline(version: int = SNAPSHOT_VERSION) -> Timeline:
    """The timeline of the golden file of this version."""
    timeline = Timeline()
    rights = Rights(
        {PEOPLE[0]: EVERYTHING, PEOPLE[1]: 11, PEOPLE[2]: 15},
        lists=frozenset(LISTS[:1]),
        blocked=frozenset(PEOPLE[3:]) if version == 1 else None,
        high_fan_out=frozenset([PEOPLE[2]]),
    )
    entries = [Entry(9 - number, bytes([number]) * 16, PEOPLE[number % 3], PUBLIC) for number in range(6)]
    timeline.load(rights, entries, 5)
    timeline.announced = True
    return timeline


@pytest.mark.parametrize("version", range(1, SNAPSHOT_VERSION + 1))
def test_a_snapshot_of_any_version_is_read_for_ever(version: int) -> None:
    stored = (GOLDEN / f"timeline-{version}.msgpack").read_bytes()
    restored, expected = Timeline.restore(version, msgpack.unpackb(stored)), _timeline(version)
    assert restored.page(None, 10) == expected.page(None, 10)
    assert restored.announced
    assert msgpack.packb(restored.snapshot()) == stored


def test_a_version_that_never_was_is_refused() -> None:
    with pytest.raises(ValueError, match="version 3"):
        Timeline.restore(3, [])


def test_only_an_author_of_the_timeline_can_have_it_dropped() -> None:
    timeline = _timeline()
    timeline.forget_author(PEOPLE[3])
    assert timeline.loaded
    timeline.forget_author(PEOPLE[1])
    assert not timeline.loaded


def test_posts_to_lists_that_are_too_many_to_keep_are_left_to_the_reader_of_the_page() -> None:
    timeline = Timeline()
    timeline.load(Rights({PEOPLE[0]: 9}, lists=None), [], 5)
    timeline.put(Entry(1, b"x" * 16, PEOPLE[0], LIST, LISTS[0]))
    timeline.put(Entry(2, b"y" * 16, PEOPLE[0], CLOSE_FRIENDS))
    page = timeline.page(None, 10)
    assert (list(page.ids), page.lists) == ([b"x" * 16], None)


def test_a_page_says_over_the_runtime_what_is_too_much_to_be_kept() -> None:
    for lists, blocked in (
        (None, None),
        (None, frozenset(PEOPLE)),
        (frozenset(LISTS), None),
        (frozenset(), frozenset()),
    ):
        timeline = Timeline()
        timeline.load(Rights({}, lists, blocked), [], 5)
        page = page_from_wire(msgpack.unpackb(msgpack.packb(page_to_wire(timeline.page(None, 3)))))
        assert (page.lists, page.blocked) == (lists, blocked)


def test_an_author_who_gets_a_high_fan_out_is_merged_in_from_then_on() -> None:
    timeline = Timeline()
    timeline.load(Rights({PEOPLE[1]: 11}), [], 5)
    timeline.mark_high_fan_out(PEOPLE[3])
    assert timeline.page(None, 1).high_fan_out == {}, "not an author of this timeline"
    timeline.mark_high_fan_out(PEOPLE[1])
    assert timeline.page(None, 1).high_fan_out == {PEOPLE[1]: 11}


def test_a_page_of_some_audiences_only() -> None:
    timeline = Timeline()
    entries = [Entry(9 - n, bytes([n]) * 16, PEOPLE[0], ONLY_ME if n % 2 else PUBLIC) for n in range(6)]
    timeline.load(Rights({PEOPLE[0]: EVERYTHING}), entries, 10)
    assert [id[0] for id in timeline.page(None, 2, PUBLIC | CONNECTIONS).ids] == [0, 2]
    assert [id[0] for id in timeline.page((7, bytes([2]) * 16), 2, PUBLIC).ids] == [4]


def test_a_stranger_s_post_changes_nothing() -> None:
    timeline = _timeline()
    before = timeline.page(None, 10)
    timeline.put(Entry(100, b"x" * 16, PEOPLE[3], PUBLIC))
    assert timeline.page(None, 10) == before


def test_a_post_of_somebody_tied_between_the_two_statements_is_left_out() -> None:
    timeline = Timeline()
    known, unknown = (Entry(at, bytes([at]) * 16, PEOPLE[at], PUBLIC) for at in (1, 2))
    timeline.load(Rights({known.author: PUBLIC}), [unknown, known], kept=5)
    assert list(timeline.page(None, 10).ids) == [known.id]
