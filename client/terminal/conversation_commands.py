"""What is chosen about a conversation in the terminal client: /mute, /archive, /pin, /block."""

import re
from typing import Protocol

from client.conversations import Conversation, Conversations
from client.writing import Impossible

USAGE = """\
/mute HOURS             no count of what is new, for so long; /mute off
/pin, /unpin            before all others
/archive, /unarchive    behind all others
/block PERSON           neither finds the other, and what they say in groups is not shown; /unblock PERSON
/block                  the person of this conversation"""
COMMANDS = ("/mute", "/pin", "/unpin", "/archive", "/unarchive", "/block", "/unblock")
_MAX_HOURS = 24 * 366
_HOURS = re.compile("[1-9][0-9]{0,3}")


class SettingsActions(Protocol):
    """What the commands need of `client.conversation_settings.ConversationSettings`."""

    def is_muted(self, conversation: Conversation) -> bool: ...
    async def mute(self, conversation_id: str, for_s: int | None) -> None: ...
    async def archive(self, conversation_id: str, archived: bool) -> None: ...
    async def pin(self, conversation_id: str, pinned: bool) -> None: ...


class BlockActions(Protocol):
    """What the commands need of `client.blocks.Blocks`."""

    async def block(self, username: str) -> None: ...
    async def unblock(self, username: str) -> None: ...


class ConversationAccount(Protocol):
    conversations: Conversations

    @property
    def settings(self) -> SettingsActions: ...

    @property
    def blocks(self) -> BlockActions: ...


async def run(line: str, shown: str | None, account: ConversationAccount) -> str:
    """Does what a line says about the conversation that is shown. Returns what to say. Raises ValueError, whose text is
    for the user, and what the actions raise."""
    settings, said = account.settings, line.split()
    match said:
        case ["/block"] | ["/block", _]:
            username = _username(said[1]) if said[1:] else _person(shown, account.conversations)
            await account.blocks.block(username)
            return f"{username} is blocked."
        case ["/unblock", name]:
            await account.blocks.unblock(_username(name))
            return f"{_username(name)} is not blocked any more."
        case ["/mute", "off"]:
            await settings.mute(_conversation(shown), None)
            return "Not muted any more."
        case ["/mute", hours] if _HOURS.fullmatch(hours) and int(hours) <= _MAX_HOURS:
            await settings.mute(_conversation(shown), 3600 * int(hours))
            return f"Muted for {int(hours)} hours."
        case ["/pin" | "/unpin" as what]:
            await settings.pin(_conversation(shown), what == "/pin")
            return "Pinned." if what == "/pin" else "Not pinned any more."
        case ["/archive" | "/unarchive" as what]:
            await settings.archive(_conversation(shown), what == "/archive")
            return "In the archive." if what == "/archive" else "Out of the archive."
    raise ValueError(USAGE)


def _conversation(shown: str | None) -> str:
    if shown is None:
        raise Impossible("Choose a conversation first.")
    return shown


def _person(shown: str | None, conversations: Conversations) -> str:
    conversation = conversations.conversation(_conversation(shown))
    if conversation is None or conversation.is_group or conversation.username is None:
        raise Impossible("Say whom: /block PERSON")
    return conversation.username


def _username(name: str) -> str:
    return name.removeprefix("@").lower()
