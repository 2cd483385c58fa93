"""Reports in the terminal client: /report shows messages of others to the moderators."""

from collections.abc import Sequence
from typing import Protocol

from client.conversations import Conversations
from client.reports import REASONS
from client.writing import Impossible

USAGE = f"""\
/report REASON          shows the chosen message (Up chooses one) to the moderators, who can read it then
/report REASON COUNT    and those before it of the same person, up to 50 in all
REASON is one of: {", ".join(REASONS)}"""
_MAX = 50


class ReportActions(Protocol):
    """What the command needs of `client.reports.Reports`."""

    def can_report(self, number: int) -> bool: ...
    async def report(self, numbers: Sequence[int], reason: str) -> None: ...


def parse(line: str) -> tuple[str, int]:
    """Returns the reason, and how many messages. Raises ValueError, whose text is for the user."""
    match line.split()[1:]:
        case [reason, *count] if reason in REASONS and len(count) <= 1:
            if not count:
                return reason, 1
            if count[0].isascii() and count[0].isdigit() and 1 <= int(count[0][:3]) <= _MAX and len(count[0]) <= 2:
                return reason, int(count[0])
    raise ValueError(USAGE)


async def report(line: str, chosen: int | None, conversations: Conversations, reports: ReportActions) -> int:
    """Does what a line says, from the chosen message on. Returns how many messages were reported. Raises ValueError,
    whose text is for the user, and what `reports.report` raises."""
    reason, count = parse(line)
    message = None if chosen is None else conversations.message(chosen)
    if message is None:
        raise Impossible("Choose a message first (Up).")
    if message.own:
        raise Impossible("This message is your own: choose another one (Up).")
    shown = conversations.messages(message.conversation_id, conversations.since(message.number) + _MAX)
    before = [each.number for each in shown if each.account_id == message.account_id]
    before = before[: before.index(message.number) + 1] if message.number in before else [message.number]
    numbers = [message.number, *(each for each in reversed(before[:-1]) if reports.can_report(each))][:count]
    await reports.report(numbers, reason)
    return len(numbers)
