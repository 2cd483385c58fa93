"""Groups in the terminal client: commands in the line, each beginning with /group."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from textual.app import App

from client.conversations import Conversations
from client.terminal import invitation_commands
from client.terminal.invitation_commands import InvitationActions
from client.terminal.printable import one_line
from client.terminal.words import words
from crypto.mls import Role

USAGE = f"""\
/group new NAME PERSON…    a group with people; "a longer name" in quotes
/group add PERSON…         adds people
/group remove PERSON…      removes people
/group role PERSON ROLE    makes somebody an owner, admin or member
/group rename NAME         the server does not learn it
/group members             who is in it
/group leave
{invitation_commands.USAGE}"""


class GroupActions(Protocol):
    """What the commands need of `client.groups.Groups`."""

    async def create(self, name: str, usernames: Sequence[str]) -> str: ...
    async def add(self, conversation_id: str, usernames: Sequence[str]) -> None: ...
    def remove(self, conversation_id: str, usernames: Sequence[str]) -> None: ...
    def set_role(self, conversation_id: str, username: str, role: Role) -> None: ...
    def rename(self, conversation_id: str, name: str) -> None: ...
    def leave(self, conversation_id: str) -> None: ...


class GroupAccount(Protocol):
    username: str
    conversations: Conversations

    @property
    def groups(self) -> GroupActions: ...

    @property
    def invitations(self) -> InvitationActions: ...


@dataclass(frozen=True, slots=True)
class Command:
    """`what`: the word after /group, `words`: those after that."""

    what: str
    words: tuple[str, ...]


def parse(line: str) -> Command:
    """Raises ValueError, whose text is for the user."""
    match line.split(maxsplit=2)[1:]:
        case ["rename", name]:
            return Command("rename", (name.strip(),))
    said = words(line)[1:]
    if (invitation := invitation_commands.parse(said)) is not None:
        return Command(*invitation)
    match said:
        case ["new" | "add" | "remove" as what, _, *_] as found:
            return Command(what, tuple(found[1:]))
        case ["members" | "leave" as what]:
            return Command(what, ())
        case ["role", person, role] if role.upper() in Role.__members__:
            return Command("role", (person, role.upper()))
    raise ValueError(USAGE)


class GroupCommands:
    """Does what the commands say, in the conversation that is shown."""

    def __init__(self, app: App[None], account: GroupAccount, show: Callable[[str], None]) -> None:
        """`show`: shows a conversation."""
        self._app = app
        self._account = account
        self._show = show

    async def run(self, line: str, shown: str | None) -> None:
        """Runs a command. Raises ValueError, whose text is for the user, and what the actions raise."""
        command = parse(line)
        groups, named = self._account.groups, command.words
        if command.what == "new":
            self._show(await groups.create(named[0], _usernames(named[1:])))
            return
        if command.what == "join":
            self._app.notify(await invitation_commands.join(self._account.invitations, named[0]), markup=False)
            return
        if shown is None:
            raise ValueError("Choose a group first.")
        match command.what:
            case "add":
                await groups.add(shown, _usernames(named))
            case "remove":
                groups.remove(shown, _usernames(named))
            case "role":
                groups.set_role(shown, _usernames(named)[0], Role[named[1]])
            case "rename":
                groups.rename(shown, named[0])
            case "leave":
                groups.leave(shown)
                self._app.notify("You are out of the group once the device of another member has seen it.")
            case "members":
                self._app.notify(self._members(shown), markup=False, timeout=30)
            case _:
                await self._invite(command, shown)

    async def _invite(self, command: Command, shown: str) -> None:
        invitations, named, notify = self._account.invitations, command.words, self._app.notify
        match command.what:
            case "link":
                link = str(await invitation_commands.make_link(invitations, shown, named))
                self._app.copy_to_clipboard(link)
                notify(f"Who has this link can ask to join. It is in the clipboard:\n{link}", markup=False, timeout=60)
            case "links":
                notify(await invitation_commands.listed(invitations, shown), markup=False, timeout=30)
            case "revoke":
                notify(await invitation_commands.revoke(invitations, shown, named[0]))
            case "requests":
                notify(await invitation_commands.waiting(invitations, shown), markup=False, timeout=30)
            case _:
                await invitation_commands.answer(invitations, shown, command.what, _usernames(named))

    def _members(self, shown: str) -> str:
        found = self._account.conversations.members(shown)
        if not found:
            raise ValueError("This is no group that you are in.")
        names = [self._account.username if each.own else one_line(each.username or "somebody") for each in found]
        return "\n".join(f"{name}: {each.role.name.lower()}" for name, each in zip(names, found, strict=True))


def _usernames(named: Sequence[str]) -> list[str]:
    return [each.removeprefix("@").lower() for each in named]
