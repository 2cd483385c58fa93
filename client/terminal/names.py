"""How people, conversations and groups are called in the terminal client."""

from collections.abc import Callable

from client.conversations import Conversation, Conversations
from client.terminal.printable import one_line


class Names:
    def __init__(self, conversations: Conversations, own: str) -> None:
        """`own`: the own account."""
        self._conversations = conversations
        self._own = own

    def of_correspondent(self, account_id: str) -> str | None:
        """Somebody with whom messages were exchanged in a conversation of two; None for others."""
        return next((title(each) for each in self._conversations.all() if each.peer == account_id and each.last), None)

    def within(self, conversation_id: str, id: str) -> str:
        """An account in a conversation, or the conversation itself."""
        return self.of_conversation(conversation_id)(id)

    def of_conversation(self, conversation_id: str) -> Callable[[str], str]:
        """How accounts in a conversation are called, or the conversation itself, by their ids: as they are now."""
        conversation = self._conversations.conversation(conversation_id)
        usernames = {each.account_id: each.username for each in self._conversations.members(conversation_id)}

        def name(id: str) -> str:
            if id == self._own:
                return "you"
            if conversation is not None and id in (conversation.peer, conversation.id):
                return title(conversation)
            username = usernames[id] if id in usernames else self._conversations.username(id)
            return one_line(username or f"somebody ({id[-6:]})")

        return name


def title(conversation: Conversation) -> str:
    """The other person, or the group."""
    unnamed = "a group" if conversation.is_group else "somebody"
    return one_line(conversation.username or f"{unnamed} ({conversation.peer[-6:]})")


def entry(conversation: Conversation, unread: int) -> str:
    """A conversation in the list of all."""
    marks = f"{'^ ' if conversation.pinned else ''}{'# ' if conversation.is_group else ''}"
    count, archived = f" ({unread})" if unread else "", " (archive)" if conversation.archived else ""
    return f"{marks}{title(conversation)}{count}{archived}"
