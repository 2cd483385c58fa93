"""The decision on a friend request and the states of a request, for every situation."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from features.errors import Conflict, DomainError, LimitReached, RateLimited
from features.friends.machine import (
    OPEN,
    TRANSITIONS,
    Outcome,
    RequestState,
    Situation,
    Step,
    advance,
    decide,
    require_capacity,
)
from features.friends.policy import FriendPolicy

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY = FriendPolicy()
STRANGERS = Situation(
    friends=False,
    mine=None,
    theirs=None,
    refused_at=None,
    my_friends=0,
    their_friends=0,
    my_pending=0,
    sent_in_window=0,
    oldest_in_window=None,
)
WAITING, REFUSED = RequestState.WAITING, RequestState.REFUSED
INSIDE, OVER = NOW - POLICY.cool_down + timedelta(microseconds=1), NOW - POLICY.cool_down


def busy(sent: int, oldest: datetime) -> Situation:
    return replace(STRANGERS, sent_in_window=sent, oldest_in_window=oldest)


@pytest.mark.parametrize(
    ("situation", "answer"),
    [
        (STRANGERS, Outcome.SEND),
        (replace(STRANGERS, mine=WAITING), Outcome.REPEAT),
        (replace(STRANGERS, mine=REFUSED, refused_at=INSIDE), Outcome.REPEAT),
        (replace(STRANGERS, mine=REFUSED, refused_at=OVER), Outcome.RESEND),
        (replace(STRANGERS, refused_at=INSIDE), Outcome.SEND_HIDDEN),
        (replace(STRANGERS, refused_at=OVER), Outcome.SEND),
        (replace(STRANGERS, theirs=WAITING), Outcome.CROSS),
        (replace(STRANGERS, theirs=REFUSED), Outcome.CROSS),
        (replace(STRANGERS, theirs=WAITING, refused_at=INSIDE), Outcome.CROSS),
        (replace(STRANGERS, their_friends=POLICY.max_friends), Outcome.SEND),
        (replace(STRANGERS, my_friends=POLICY.max_friends - 1), Outcome.SEND),
        (replace(STRANGERS, my_pending=POLICY.max_pending - 1), Outcome.SEND),
        (busy(POLICY.max_requests_per_window - 1, NOW), Outcome.SEND),
        (replace(STRANGERS, theirs=WAITING, my_pending=POLICY.max_pending), Outcome.CROSS),
        (replace(STRANGERS, mine=WAITING, my_pending=POLICY.max_pending), Outcome.REPEAT),
    ],
)
def test_asking(situation: Situation, answer: Outcome) -> None:
    assert decide(situation, POLICY, NOW) is answer


@pytest.mark.parametrize(
    ("situation", "code"),
    [
        (replace(STRANGERS, my_friends=POLICY.max_friends), "too_many_friends"),
        (replace(STRANGERS, theirs=WAITING, my_friends=POLICY.max_friends), "too_many_friends"),
        (replace(STRANGERS, theirs=WAITING, their_friends=POLICY.max_friends), "they_have_too_many_friends"),
        (replace(STRANGERS, my_pending=POLICY.max_pending), "too_many_pending_requests"),
        (busy(POLICY.max_requests_per_window, NOW), "too_many_requests_sent"),
    ],
)
def test_limits(situation: Situation, code: str) -> None:
    with pytest.raises((LimitReached, RateLimited)) as refusal:
        decide(situation, POLICY, NOW)
    assert refusal.value.code == code


def test_friends_cannot_ask_again() -> None:
    with pytest.raises(Conflict):
        decide(replace(STRANGERS, friends=True), POLICY, NOW)


def test_the_daily_limit_says_when_to_come_back() -> None:
    sent_at = NOW - timedelta(hours=20)
    with pytest.raises(RateLimited) as refusal:
        decide(busy(POLICY.max_requests_per_window, sent_at), POLICY, NOW)
    assert refusal.value.retry_after_s == 4 * 3600


def test_room_is_needed_on_both_sides() -> None:
    require_capacity(POLICY.max_friends - 1, POLICY.max_friends - 1, POLICY)
    for mine, theirs in [(POLICY.max_friends, 0), (0, POLICY.max_friends)]:
        with pytest.raises(LimitReached):
            require_capacity(mine, theirs, POLICY)


states = st.none() | st.sampled_from(sorted(OPEN))
counts = st.integers(0, 2_000)
moments = st.timedeltas(timedelta(0), timedelta(days=60)).map(lambda ago: NOW - ago)
situations = st.builds(
    Situation,
    friends=st.booleans(),
    mine=states,
    theirs=states,
    refused_at=st.none() | moments,
    my_friends=counts,
    their_friends=counts,
    my_pending=counts,
    sent_in_window=counts,
    oldest_in_window=moments,
)


def seen_by_sender(situation: Situation) -> str:
    """What HTTP shows of the answer: a new request, an old one, a friendship, or an error's code."""
    try:
        answer = decide(situation, POLICY, NOW)
    except DomainError as error:
        return error.code
    return {
        Outcome.SEND: "new request",
        Outcome.SEND_HIDDEN: "new request",
        Outcome.REPEAT: "old request",
        Outcome.RESEND: "old request",
        Outcome.CROSS: "friends",
    }[answer]


@given(situations)
def test_a_refusal_cannot_be_told_from_silence(situation: Situation) -> None:
    """Whatever else is the case, a refused asker gets the same answer as one whom nobody has answered."""
    mine = situation.mine and WAITING
    assert seen_by_sender(situation) == seen_by_sender(replace(situation, mine=mine, refused_at=None))


@given(situations)
def test_no_answer_makes_more_friends_than_allowed(situation: Situation) -> None:
    try:
        answer = decide(situation, POLICY, NOW)
    except DomainError:
        return
    if answer is Outcome.CROSS:
        assert max(situation.my_friends, situation.their_friends) < POLICY.max_friends
    if answer in {Outcome.SEND, Outcome.SEND_HIDDEN}:
        assert situation.my_pending < POLICY.max_pending
        assert situation.sent_in_window < POLICY.max_requests_per_window


@given(st.sampled_from(sorted(RequestState)), st.sampled_from(list(Step)))
def test_what_has_ended_stays_ended(state: RequestState, step: Step) -> None:
    if state not in OPEN:
        assert advance(state, step) is None


class TwoPeople(RuleBasedStateMachine):
    """Ada and Bob ask, answer and wait in any order; the machine decides, this test keeps the books."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.open: dict[str, RequestState | None] = {"ada": None, "bob": None}
        self.refused_at: dict[str, datetime | None] = {"ada": None, "bob": None}
        self.friends = False

    def other(self, who: str) -> str:
        return "bob" if who == "ada" else "ada"

    def step(self, sender: str, step: Step) -> None:
        state = self.open[sender]
        assert state is not None
        after = advance(state, step)
        assert after is not None, (state, step)
        self.open[sender] = after if after in OPEN else None
        if after is RequestState.ACCEPTED:
            self.friends = True

    @precondition(lambda self: not self.friends)
    @rule(who=st.sampled_from(["ada", "bob"]))
    def asks(self, who: str) -> None:
        other = self.other(who)
        situation = replace(STRANGERS, mine=self.open[who], theirs=self.open[other], refused_at=self.refused_at[who])
        match decide(situation, POLICY, self.now):
            case Outcome.CROSS:
                self.step(other, Step.CROSS)
            case Outcome.SEND:
                self.open[who] = WAITING
            case Outcome.SEND_HIDDEN:
                self.open[who] = REFUSED
            case Outcome.RESEND:
                self.step(who, Step.RESEND)
            case Outcome.REPEAT:
                pass
        assert self.friends or self.open[who] in OPEN, "who asks sees a friend or an open request"

    @rule(sender=st.sampled_from(["ada", "bob"]), step=st.sampled_from([Step.ACCEPT, Step.REFUSE]))
    def answers(self, sender: str, step: Step) -> None:
        if self.open[sender] is WAITING:
            self.step(sender, step)
            if step is Step.REFUSE:
                self.refused_at[sender] = self.now

    @rule(sender=st.sampled_from(["ada", "bob"]))
    def withdraws(self, sender: str) -> None:
        if self.open[sender]:
            self.step(sender, Step.WITHDRAW)

    @rule()
    def blocks(self) -> None:
        self.friends = False
        for sender in self.open:
            if self.open[sender]:
                self.step(sender, Step.SEVER)

    @rule(days=st.integers(1, 40))
    def time_passes(self, days: int) -> None:
        self.now += timedelta(days=days)

    @invariant()
    def nobody_is_bothered_in_the_cool_down(self) -> None:
        for sender, refused_at in self.refused_at.items():
            if refused_at is not None and self.now < refused_at + POLICY.cool_down:
                assert self.open[sender] is not WAITING

    @invariant()
    def friends_have_no_open_requests(self) -> None:
        if self.friends:
            assert self.open == {"ada": None, "bob": None}

    @invariant()
    def requests_never_cross(self) -> None:
        assert None in self.open.values()


TestTwoPeople = TwoPeople.TestCase


def test_every_transition_starts_open() -> None:
    assert {state for state, _ in TRANSITIONS} == OPEN
