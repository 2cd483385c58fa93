"""The life of an account: every action by everybody in every state."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from features.account_state import AccountState
from features.accounts.machine import (
    ACTIVE,
    DEACTIVATED,
    DELETED,
    DELETING,
    SUSPENDED,
    Action,
    Actor,
    Life,
    NotAllowed,
    advance,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)
GRACE = timedelta(days=30)
LATER, EARLIER = NOW + timedelta(seconds=1), NOW

LIVES = {
    "active": Life(ACTIVE),
    "deactivated": Life(DEACTIVATED),
    "deleting": Life(DELETING, LATER),
    "overdue": Life(DELETING, EARLIER),
    "deleted": Life(DELETED, EARLIER),
    "suspended": Life(SUSPENDED, None, ACTIVE),
    "suspended while deactivated": Life(SUSPENDED, None, DEACTIVATED),
    "suspended while deleting": Life(SUSPENDED, LATER, DELETING),
    "suspended, then overdue": Life(SUSPENDED, EARLIER, DELETING),
}
OWNER, OPERATOR, PLATFORM = Actor
RESULTS: dict[tuple[Actor, Action, str], Life] = {
    (OWNER, Action.DEACTIVATE, "active"): Life(DEACTIVATED),
    (OWNER, Action.REQUEST_DELETION, "active"): Life(DELETING, NOW + GRACE),
    (OWNER, Action.LOG_IN, "active"): Life(ACTIVE),
    (OWNER, Action.LOG_IN, "deactivated"): Life(ACTIVE),
    (OWNER, Action.LOG_IN, "deleting"): Life(ACTIVE),
    (OPERATOR, Action.SUSPEND, "active"): Life(SUSPENDED, None, ACTIVE),
    (OPERATOR, Action.SUSPEND, "deactivated"): Life(SUSPENDED, None, DEACTIVATED),
    (OPERATOR, Action.SUSPEND, "deleting"): Life(SUSPENDED, LATER, DELETING),
    (OPERATOR, Action.END_SUSPENSION, "suspended"): Life(ACTIVE),
    (OPERATOR, Action.END_SUSPENSION, "suspended while deactivated"): Life(DEACTIVATED),
    (OPERATOR, Action.END_SUSPENSION, "suspended while deleting"): Life(DELETING, LATER),
    (OPERATOR, Action.END_SUSPENSION, "suspended, then overdue"): Life(DELETING, EARLIER),
    (PLATFORM, Action.ERASE, "overdue"): Life(DELETED, EARLIER),
    (PLATFORM, Action.ERASE, "deleted"): Life(DELETED, EARLIER),
}
"""Everything that is allowed, and what it leads to."""


@pytest.mark.parametrize(("actor", "action", "name"), [*product(Actor, Action, LIVES)])
def test_what_is_allowed_and_nothing_else(actor: Actor, action: Action, name: str) -> None:
    expected = RESULTS.get((actor, action, name))
    if expected is None:
        with pytest.raises(NotAllowed):
            advance(LIVES[name], action, actor, NOW, GRACE)
    else:
        assert advance(LIVES[name], action, actor, NOW, GRACE) == expected


def test_every_state_can_be_reached() -> None:
    assert {life.state for life in RESULTS.values()} == set(AccountState)


@pytest.mark.parametrize("name", LIVES)
def test_nobody_brings_back_what_is_gone(name: str) -> None:
    assert LIVES[name].is_gone(NOW) == (name in {"overdue", "deleted"})
