"""How people, conversations and groups are called in the terminal client."""

from client.conversations import Conversation, Conversations
from client.terminal.printable import printable


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
        if id == self._own:
            return "you"
        conversation = next((each for each in self._conversations.all() if each.id == conversation_id), None)
        if conversation is not None and id in (conversation.peer, conversation.id):
            return title(conversation)
        return printable(self._conversations.username(id) or f"somebody ({id[-6:]})")


def title(conversation: Conversation) -> str:
    """The other person, or the group."""
    unnamed = "a group" if conversation.is_group else "somebody"
    return printable(conversation.username or f"{unnamed} ({conversation.peer[-6:]})")
