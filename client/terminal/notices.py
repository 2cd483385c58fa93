"""What the terminal client says about changes that are no messages."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from client.messaging import (
    Change,
    DevicesLearned,
    DevicesUnreachable,
    DirectoryDistrusted,
    FileNotSent,
    NotSent,
    TimerChanged,
)
from client.terminal.messages import duration
from client.terminal.printable import printable
from client.terminal.problems import describe


class Notice(NamedTuple):
    text: str
    severity: Literal["information", "warning", "error"] = "information"


def notice(change: Change, own: str, name_of: Callable[[str], str | None]) -> Notice | None:
    """What the user is told; None for nothing. `own`: the own account. `name_of`: how somebody is called with whom
    messages were exchanged."""
    match change:
        case NotSent(_, code):
            return Notice(describe(code), "warning")
        case FileNotSent(file_name, code):
            return Notice(f"{printable(file_name)}: {describe(code)}", "error")
        case TimerChanged(_, account_id, seconds):
            who = "You" if account_id == own else name_of(account_id) or "The other"
            return Notice(f"{who} changed the timer: new messages {after(seconds)}.")
        case DevicesLearned(account_id) if account_id == own:
            return Notice("Your account has other devices than before. If that was not you, change your password.")
        case DevicesLearned(account_id):
            name = name_of(account_id)
            text = f"{name} uses other devices than before: compare the safety number (Ctrl+T)."
            return None if name is None else Notice(text)
        case DevicesUnreachable(account_id) if account_id == own:
            return Notice("Another device of yours is not set up yet: it does not get what you send now.")
        case DevicesUnreachable(account_id):
            name = name_of(account_id) or "this account"
            text = f"A device of {name} is not set up yet and gets no messages; without another, yours wait."
            return Notice(text, "warning")
        case DirectoryDistrusted(account_id) if account_id == own:
            return Notice("The key directory shows keys for your account that are not yours.", "error")
        case DirectoryDistrusted(account_id):
            name = name_of(account_id) or "this account"
            return Notice(f"The keys of {name} cannot be verified: nothing is sent.", "error")
    return None


def after(seconds: int | None) -> str:
    """What becomes of messages under a timer."""
    return "stay" if seconds is None else f"disappear {duration(seconds)} after they were read"
