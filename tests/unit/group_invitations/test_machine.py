"""Requests to join a group: whatever is done, nobody is told of a refusal, and nobody undoes one by asking again."""

from hypothesis import given
from hypothesis import strategies as st

from features.group_invitations.machine import PENDING, JoinState, Step, advance

STEPS = st.lists(st.sampled_from(list(Step)))


def after(steps: list[Step]) -> JoinState:
    state = JoinState.WAITING
    for step in steps:
        state = advance(state, step) or state
    return state


@given(STEPS, STEPS)
def test_who_was_declined_asks_in_vain(before: list[Step], later: list[Step]) -> None:
    state = after([*before, Step.DECLINE])
    if state is JoinState.DECLINED:
        for step in later:
            state = advance(state, step) or state
            assert state in (JoinState.DECLINED, JoinState.WITHDRAWN_DECLINED)


@given(STEPS)
def test_what_the_asker_does_is_possible_or_not_alike_for_who_was_declined(steps: list[Step]) -> None:
    own = [step for step in steps if step in (Step.ASK, Step.WITHDRAW)]
    waiting, declined = JoinState.WAITING, JoinState.DECLINED
    for step in own:
        next_waiting, next_declined = advance(waiting, step), advance(declined, step)
        assert (next_waiting is None) == (next_declined is None)
        waiting, declined = next_waiting or waiting, next_declined or declined
        assert (waiting in PENDING) == (declined in PENDING)


@given(STEPS)
def test_a_repeated_step_changes_nothing_and_everybody_may_ask(steps: list[Step]) -> None:
    state = after(steps)
    for step in Step:
        once = advance(state, step)
        assert once is None or advance(once, step) in (once, None)
    assert advance(state, Step.ASK) in PENDING
    assert advance(state, Step.APPROVE) in (JoinState.APPROVED, None)
