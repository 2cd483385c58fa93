"""What the terminal client says about changes that are no messages."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from client.messaging import (
    Change,
    DevicesLearned,
    DevicesUnreachable,
    DirectoryDistrusted,
    FileNotSent,
    GroupChanged,
    JoinRequested,
    NotAdded,
    NotSent,
    TimerChanged,
)
from client.terminal.messages import duration
from client.terminal.printable import one_line, printable
from client.terminal.problems import describe


class Notice(NamedTuple):
    text: str
    severity: Literal["information", "warning", "error"] = "information"


def notice(
    change: Change, own: str, name_of: Callable[[str], str | None], names: Callable[[str, str], str]
) -> Notice | None:
    """What the user is told; None for nothing. `own`: the own account. `name_of`: how somebody is called with whom
    messages were exchanged. `names`: how an account is called in a conversation, or, for the conversation itself, that
    one."""
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
        case NotAdded(group, account_id):
            text = f"{names(group, account_id)} cannot be added to {names(group, group)}: no device is set up there."
            return Notice(text, "warning")
        case JoinRequested(group, username):
            return Notice(f"{one_line(username)} asks to join {names(group, group)}: /group requests.")
        case GroupChanged():
            return _group_notice(change, own, lambda each: names(change.conversation_id, each))
    return None


def _group_notice(change: GroupChanged, own: str, name: Callable[[str], str]) -> Notice | None:
    group = name(change.conversation_id)
    if own in change.gone:
        return Notice(f"You are not in {group} any more.", "warning")
    if own in change.joined:
        return Notice(f"You are in the group {group} now.")
    if change.joined or change.gone:
        come, gone = (", ".join(map(name, each)) for each in (change.joined, change.gone))
        told = [
            f"{come} came into {group}." if come else "",
            f"{gone} left or was removed from {group}." if gone else "",
        ]
        return Notice(" ".join(filter(None, told)))
    if change.by is None or change.by == own:
        return None
    return Notice(f"{name(change.by)} changed the name or the roles of {group}.")


def after(seconds: int | None) -> str:
    """What becomes of messages under a timer."""
    return "stay" if seconds is None else f"disappear {duration(seconds)} after they were read"
