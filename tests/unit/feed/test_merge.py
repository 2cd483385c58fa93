"""A page that merges the timelines of many high-fan-out authors."""

from __future__ import annotations

import random

from features.feed.author_heads import Head
from features.feed.machine import CONNECTIONS, EVERYTHING, PUBLIC, Entry, Key, Rights, Timeline
from features.feed.merge import Merge

AUTHORS = [number.to_bytes(16, "big") for number in range(1, 13)]
Post = tuple[int, bytes, int]


def _timeline(entries: list[Entry], kept: int) -> Timeline:
    timeline = Timeline()
    timeline.load(
        Rights(dict.fromkeys(AUTHORS, EVERYTHING)), sorted(entries, key=lambda e: e.key, reverse=True)[: kept + 1], kept
    )
    return timeline


def _merged(timelines: dict[bytes, Timeline], after: Key | None, first: int, count: int) -> tuple[list[Post], bool]:
    merge = Merge(after)
    for author, timeline in timelines.items():
        merge.add_head(author, Head.of(timeline.page(None, first), PUBLIC, 0.0))
    for _ in range(9):
        for author, key in merge.behind(count).items():
            merge.add(author, timelines[author].page(key, count), PUBLIC)
    assert not merge.behind(count)
    return merge.newest(count)


def test_the_newest_posts_of_all_are_found_and_what_is_not_kept_is_never_passed_over() -> None:
    rng = random.Random(7)
    for _ in range(300):
        kept, first, count = rng.randint(1, 9), rng.randint(1, 4), rng.randint(4, 20)
        entries = [
            Entry(rng.randint(1, 99), rng.randbytes(16), author, PUBLIC)
            for author in AUTHORS
            for _ in range(rng.choice((0, 1, 3, 12)))
        ]
        timelines = {a: _timeline([e for e in entries if e.author == a], kept) for a in AUTHORS}
        after = rng.choice((None, (rng.randint(1, 99), b"\0" * 16)))
        found, truncated = _merged(timelines, after, first, count)
        expected = sorted((e.key for e in entries if after is None or e.key < after), reverse=True)[:count]
        assert [post[:2] for post in found] == expected[: len(found)]
        assert truncated or len(found) == len(expected)


def test_a_post_in_two_timelines_is_shown_once() -> None:
    post = Entry(5, b"p" * 16, AUTHORS[0], PUBLIC)
    merge = Merge(None)
    page = _timeline([post], 9).page(None, 4)
    merge.add(b"", page, PUBLIC | CONNECTIONS)
    merge.add_head(AUTHORS[0], Head.of(page, PUBLIC | CONNECTIONS, 0.0))
    assert merge.newest(4) == ([(5, post.id, PUBLIC | CONNECTIONS)], False)
