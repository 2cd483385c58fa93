"""What a gateway keeps of the newest posts of high-fan-out authors."""

from features.feed.author_heads import MAX_AGE_S, AuthorHeads, Head
from features.feed.invalidations import Invalidation, timeline_invalidation
from features.feed.machine import CONNECTIONS, PUBLIC

ADA, BOB = b"a" * 16, b"b" * 16


def _head(read_at: float = 0.0) -> Head:
    return Head([(1, b"p" * 16, PUBLIC)], (1, b"p" * 16), exhausted=True, truncated=False, read_at=read_at)


def test_a_change_of_an_author_s_timeline_drops_that_author_s_heads_only() -> None:
    heads = AuthorHeads()
    for author, audiences in ((ADA, PUBLIC), (ADA, PUBLIC | CONNECTIONS), (BOB, PUBLIC)):
        heads.put(author, audiences, _head(), heads.changes)
    heads.invalidate(Invalidation(b"p", ADA))
    assert len(heads) == 3
    heads.invalidate(timeline_invalidation(ADA))
    assert len(heads) == 1
    assert heads.get(BOB, PUBLIC, 0.0) is not None
    assert heads.get(BOB, PUBLIC | CONNECTIONS, 0.0) is None, "for readers of other audiences it is another head"
    heads.clear()
    assert len(heads) == 0


def test_what_was_read_before_a_change_is_not_kept() -> None:
    for change in (lambda heads: heads.invalidate(timeline_invalidation(ADA)), AuthorHeads.clear):
        heads = AuthorHeads()
        before = heads.changes
        change(heads)
        heads.put(ADA, PUBLIC, _head(), before)
        assert len(heads) == 0


def test_a_head_is_read_again_after_a_while() -> None:
    heads = AuthorHeads()
    heads.put(ADA, PUBLIC, _head(read_at=100.0), heads.changes)
    assert heads.get(ADA, PUBLIC, 100.0 + MAX_AGE_S) is not None
    assert heads.get(ADA, PUBLIC, 100.1 + MAX_AGE_S) is None


def test_the_head_used_longest_ago_is_dropped() -> None:
    heads = AuthorHeads(capacity=2)
    for author in (ADA, BOB):
        heads.put(author, PUBLIC, _head(), heads.changes)
    heads.get(ADA, PUBLIC, 0.0)
    heads.put(b"c" * 16, PUBLIC, _head(), heads.changes)
    assert heads.get(ADA, PUBLIC, 0.0) is not None
    assert heads.get(BOB, PUBLIC, 0.0) is None
