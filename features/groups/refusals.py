"""Why a group's machine refuses a message or a change. api/groups.py's errors are made of them by
actors/groups/calls.py."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """A message or change that cannot be accepted. `code` goes to the caller, with `detail`."""

    code = ""

    def __init__(self, detail: Any = None) -> None:
        super().__init__(self.code)
        self.detail = detail


class NotFound(Refusal):
    """No such group, or the account is not in it."""

    code = "not_found"


class NotInGroup(Refusal):
    """The session is that of no device in the group."""

    code = "not_in_group"


class IdReused(Refusal):
    """The client id is that of another message: `detail` has its number, time and epoch."""

    code = "id_reused"


class WrongEpoch(Refusal):
    """The group is in the epoch in `detail`."""

    code = "wrong_epoch"


class Stale(Refusal):
    """The change was checked against another version of this epoch."""

    code = "stale"
