"""How events of posts change the counts of hashtags."""

from collections import Counter
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cluster.events.event import Event
from features.posts.consumers import day_of, hashtag_changes
from features.posts.model import Audience

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

states = st.fixed_dictionaries(
    {"audience": st.sampled_from(list(Audience)), "hashtags": st.lists(st.sampled_from("abc"), unique=True)}
)


def _event(type: str, state: dict[str, Any], **more: Any) -> Event:
    payload = {"created_at": NOW.isoformat(), **state, **more}
    return Event.now(f"posts.{type}", "key", payload, now=NOW)


def test_a_public_post_counts_once_for_each_tag() -> None:
    assert hashtag_changes(_event("created", {"audience": "public", "hashtags": ["a", "b"]})) == {"a": 1, "b": 1}


def test_a_post_that_is_not_public_never_counts() -> None:
    for audience in set(Audience) - {Audience.PUBLIC}:
        assert hashtag_changes(_event("created", {"audience": audience, "hashtags": ["a"]})) == {}


def test_going_public_counts_and_going_private_takes_back() -> None:
    private, public = ({"audience": audience, "hashtags": ["a"]} for audience in ("only_me", "public"))
    assert hashtag_changes(_event("edited", public, previous=private)) == {"a": 1}
    assert hashtag_changes(_event("edited", private, previous=public)) == {"a": -1}


@given(st.lists(states, min_size=1, max_size=6))
def test_after_any_life_nothing_is_left_of_a_deleted_post(life: list[dict[str, Any]]) -> None:
    events = [_event("created", life[0])]
    events += [_event("edited", after, previous=before) for before, after in pairwise(life)]
    counts: Counter[str] = Counter()
    for event in events:
        counts.update(hashtag_changes(event))
    last = life[-1]
    assert +counts == Counter(last["hashtags"] if last["audience"] == "public" else [])
    counts.update(hashtag_changes(_event("deleted", last)))
    assert not any(counts.values())


def test_a_change_counts_on_the_day_of_the_post_in_utc() -> None:
    late = {"created_at": "2026-11-22T23:30:00-02:00", "audience": "public", "hashtags": []}
    assert day_of(Event.now("posts.deleted", "key", late, now=NOW)) == date(2026, 11, 23)
