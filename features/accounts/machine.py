"""The life of an account: who may change its state, from which to which, and when.

| action | by | from | to |
|---|---|---|---|
| deactivate | owner | active | deactivated |
| request deletion | owner | active | deleting, until the grace period ends |
| log in | owner | active, deactivated, deleting within the grace period | active |
| suspend | operator | active, deactivated, deleting within the grace period | suspended |
| end the suspension | operator | suspended | what it was before |
| erase | platform | deleting after the grace period, deleted | deleted |

A suspension stops the clock of a deletion that was requested before: when it ends and the grace period is over, the
account is erased.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from features.account_state import AccountState

ACTIVE, DEACTIVATED, SUSPENDED, DELETING, DELETED = AccountState


class Actor(Enum):
    """Who changes the state of an account."""

    OWNER = "owner"
    OPERATOR = "operator"
    PLATFORM = "platform"


class Action(Enum):
    """What changes the state of an account."""

    DEACTIVATE = "deactivate"
    REQUEST_DELETION = "request deletion"
    LOG_IN = "log in"
    SUSPEND = "suspend"
    END_SUSPENSION = "end the suspension"
    ERASE = "erase"


ALLOWED = {
    Action.DEACTIVATE: (Actor.OWNER, {ACTIVE}),
    Action.REQUEST_DELETION: (Actor.OWNER, {ACTIVE}),
    Action.LOG_IN: (Actor.OWNER, {ACTIVE, DEACTIVATED, DELETING}),
    Action.SUSPEND: (Actor.OPERATOR, {ACTIVE, DEACTIVATED, DELETING}),
    Action.END_SUSPENSION: (Actor.OPERATOR, {SUSPENDED}),
    Action.ERASE: (Actor.PLATFORM, {DELETING, DELETED}),
}
"""Who may do what, in which states."""


class NotAllowed(Exception):
    """The actor may not do this, or not in the account's present state."""


@dataclass(frozen=True, slots=True)
class Life:
    """The state of an account. `deletes_at` is the end of the grace period of a requested deletion, `resumes_as` what
    the end of a suspension returns to."""

    state: AccountState
    deletes_at: datetime | None = None
    resumes_as: AccountState | None = None

    def is_gone(self, now: datetime) -> bool:
        """Returns whether nobody can bring the account back: it is being erased, or will be soon."""
        return self.state is DELETED or (
            self.state is DELETING and self.deletes_at is not None and self.deletes_at <= now
        )


def advance(life: Life, action: Action, actor: Actor, now: datetime, grace: timedelta) -> Life:
    """Returns the life after an action; `grace` is how long a deletion can be taken back. Raises NotAllowed."""
    allowed, states = ALLOWED[action]
    if actor is not allowed or life.state not in states or life.is_gone(now) is not (action is Action.ERASE):
        raise NotAllowed(f"{actor.value}: {action.value} while {life.state}")
    match action:
        case Action.DEACTIVATE:
            return Life(DEACTIVATED)
        case Action.REQUEST_DELETION:
            return Life(DELETING, now + grace)
        case Action.LOG_IN:
            return Life(ACTIVE)
        case Action.SUSPEND:
            return Life(SUSPENDED, life.deletes_at, life.state)
        case Action.END_SUSPENSION:
            assert life.resumes_as is not None
            return Life(life.resumes_as, life.deletes_at)
        case Action.ERASE:
            return Life(DELETED, life.deletes_at)
