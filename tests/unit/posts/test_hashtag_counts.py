"""How events of posts change the counts of hashtags."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from features.posts.consumers import day_of, hashtag_changes
from features.posts.events import PostCreated, PostDeleted, PostEdited, PostState
from features.posts.model import Audience

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ID = UUID(int=1)


def _state(audience: Audience, *hashtags: str) -> PostState:
    return PostState(audience, None, hashtags, ())


def _created(state: PostState) -> PostCreated:
    return PostCreated(ID, ID, NOW, state.audience, None, state.hashtags, ())


def _edited(state: PostState, previous: PostState) -> PostEdited:
    return PostEdited(ID, ID, NOW, state.audience, None, state.hashtags, (), previous)


def _deleted(state: PostState, created_at: datetime = NOW) -> PostDeleted:
    return PostDeleted(ID, ID, created_at, state.audience, None, state.hashtags, ())


states = st.builds(
    lambda audience, hashtags: _state(audience, *hashtags),
    st.sampled_from(list(Audience)),
    st.lists(st.sampled_from("abc"), unique=True),
)


def test_a_public_post_counts_once_for_each_tag() -> None:
    assert hashtag_changes(_created(_state(Audience.PUBLIC, "a", "b"))) == {"a": 1, "b": 1}


def test_a_post_that_is_not_public_never_counts() -> None:
    for audience in set(Audience) - {Audience.PUBLIC}:
        assert hashtag_changes(_created(_state(audience, "a"))) == {}


def test_going_public_counts_and_going_private_takes_back() -> None:
    private, public = _state(Audience.ONLY_ME, "a"), _state(Audience.PUBLIC, "a")
    assert hashtag_changes(_edited(public, previous=private)) == {"a": 1}
    assert hashtag_changes(_edited(private, previous=public)) == {"a": -1}


@given(st.lists(states, min_size=1, max_size=6))
def test_after_any_life_nothing_is_left_of_a_deleted_post(life: list[PostState]) -> None:
    edits = [_edited(after, previous=before) for before, after in pairwise(life)]
    counts: Counter[str] = Counter()
    for event in (_created(life[0]), *edits):
        counts.update(hashtag_changes(event))
    last = life[-1]
    assert +counts == Counter(last.hashtags if last.audience is Audience.PUBLIC else ())
    counts.update(hashtag_changes(_deleted(last)))
    assert not any(counts.values())


def test_a_change_counts_on_the_day_of_the_post_in_utc() -> None:
    late = datetime(2026, 11, 22, 23, 30, tzinfo=timezone(-timedelta(hours=2)))
    assert day_of(_deleted(_state(Audience.PUBLIC), late)) == date(2026, 11, 23)
