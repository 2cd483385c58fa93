"""What is accepted as a poll or a vote, and who sees results when."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from features.errors import Invalid
from features.posts.errors import BadChoices
from features.posts.policy import PostPolicy
from features.posts.polls import MAX_OPTIONS, UNVOTED, PollDraft, PollState, check_choices, define_poll, view_poll

NOW = datetime(2026, 11, 22, 15, 4, 5, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = PostPolicy()


def test_a_poll_is_stored_with_the_time_at_which_it_closes() -> None:
    poll = define_poll(PollDraft([" By train ", "By boat"], False, DAY), POLICY, NOW)
    assert poll == {
        "options": ["By train", "By boat"],
        "multiple": False,
        "closes_at": "2026-11-23T15:04:05.000000Z",
        "min_voters": 3,
    }


@pytest.mark.parametrize(
    ("options", "duration", "field"),
    [
        (["one"], DAY, "poll.options"),
        (["a", "b", "c", "d", "e"], DAY, "poll.options"),
        (["same", "SAME "], DAY, "poll.options"),
        (["a", " "], DAY, "poll.options.1"),
        (["x" * 101, "b"], DAY, "poll.options.0"),
        (["a\nb", "b"], DAY, "poll.options.0"),
        (["a", "b"], timedelta(minutes=4), "poll.duration_s"),
        (["a", "b"], timedelta(days=31), "poll.duration_s"),
    ],
)
def test_what_is_no_poll(options: Sequence[str], duration: timedelta, field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        define_poll(PollDraft(options, False, duration), POLICY, NOW)
    assert refusal.value.field == field


def test_a_vote_is_for_options_of_the_poll() -> None:
    one = define_poll(PollDraft(["a", "b", "c"], False, DAY), POLICY, NOW)
    several = define_poll(PollDraft(["a", "b", "c"], True, DAY), POLICY, NOW)
    assert check_choices(one, [2]) == [2]
    assert check_choices(several, [2, 0]) == [0, 2]
    for poll, choices in ((one, []), (one, [0, 1]), (one, [3]), (one, [-1]), (several, [1, 1]), (several, [0, 3])):
        with pytest.raises(BadChoices):
            check_choices(poll, choices)


def _state(own: list[int] | None, voters: int) -> PollState:
    return PollState(own, voters, [voters - 1, 1, *[0] * (MAX_OPTIONS - 2)])


@pytest.mark.parametrize(
    ("own", "closed", "voters", "shown"),
    [
        (None, False, 100, False),
        ([0], False, 100, True),
        (None, True, 100, True),
        ([0], True, 100, True),
        ([0], False, 3, True),
        ([0], False, 2, False),
        (None, True, 2, False),
        ([0], True, 2, False),
    ],
)
def test_who_sees_results_when(own: list[int] | None, closed: bool, voters: int, shown: bool) -> None:
    poll = define_poll(PollDraft(["a", "b"], False, DAY), POLICY, NOW)
    view = view_poll(poll, _state(own, voters), NOW + DAY if closed else NOW + DAY - timedelta(microseconds=1))
    assert view["closed"] == closed
    assert view["own_choices"] == own
    assert (view["voters"] is not None) == shown
    votes = [option["votes"] for option in view["options"]]
    assert votes == ([voters - 1, 1] if shown else [None, None])


def test_a_new_poll_has_no_results() -> None:
    view = view_poll(define_poll(PollDraft(["a", "b"], True, DAY), POLICY, NOW), UNVOTED, NOW)
    assert view["options"] == [{"text": "a", "votes": None}, {"text": "b", "votes": None}]
    assert view["multiple"]
