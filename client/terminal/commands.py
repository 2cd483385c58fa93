"""Lines that are commands: they are for this device, and not sent."""

from collections.abc import Callable
from typing import Protocol

from textual.app import App

from client.api import ApiError, NoResponse, SignedOut
from client.messaging import NotRegistered
from client.terminal import conversation_commands
from client.terminal.conversation_commands import ConversationAccount
from client.terminal.group_commands import GroupAccount, GroupCommands
from client.terminal.reports import ReportActions, report


class CommandAccount(GroupAccount, ConversationAccount, Protocol):
    @property
    def reports(self) -> ReportActions: ...


def is_command(line: str) -> bool:
    """Whether a line is a command."""
    first = line.strip().split(maxsplit=1)[:1]
    return first != [] and first[0] in ("/group", "/report", *conversation_commands.COMMANDS)


class Commands:
    """Does what they say, in the conversation that is shown."""

    def __init__(self, app: App[None], account: CommandAccount, show: Callable[[str], None]) -> None:
        """`show`: shows a conversation."""
        self._app = app
        self._account = account
        self._groups = GroupCommands(app, account, show)

    async def run(self, line: str, shown: str | None, chosen: int | None) -> bool:
        """Runs a command, or says why that is not possible. `chosen`: the number of the message. Returns whether it
        was."""
        first = line.split(maxsplit=1)[0]
        try:
            if first in conversation_commands.COMMANDS:
                self._app.notify(await conversation_commands.run(line, shown, self._account), markup=False)
            elif first == "/report":
                count = await report(line, chosen, self._account.conversations, self._account.reports)
                what = "The message was" if count == 1 else f"{count} messages were"
                self._app.notify(f"{what} shown to the moderators.")
            else:
                await self._groups.run(line, shown)
            return True
        except (ValueError, ApiError) as error:
            self._app.notify(str(error), severity="error", markup=False, timeout=10)
        except (NoResponse, SignedOut, NotRegistered):
            self._app.notify("The server cannot be reached. Try again later.", severity="warning")
        return False
