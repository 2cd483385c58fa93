"""What the user chooses about a conversation: muted, archived, pinned. For conversations with people the server has it
for all devices; groups have it on each device."""

from collections.abc import Callable
from dataclasses import replace

from client.api.conversation_settings import Chosen, ConversationSettingsApi
from client.conversations import Conversation, Conversations
from client.refreshed import Refreshed
from client.storage import Database


class ConversationSettings(Refreshed):
    """Methods raise ApiError, NoResponse and SignedOut."""

    def __init__(
        self,
        database: Database,
        conversations: Conversations,
        api: ConversationSettingsApi,
        clock: Callable[[], int],
    ) -> None:
        """`clock`: milliseconds since 1970."""
        super().__init__()
        self._database = database
        self._conversations = conversations
        self._api = api
        self._clock = clock

    def is_muted(self, conversation: Conversation) -> bool:
        """Whether the user is not to be told of new messages now."""
        return conversation.muted_until is not None and self._clock() < conversation.muted_until

    async def mute(self, conversation_id: str, for_s: int | None) -> None:
        """Mutes a conversation for some time; None: not any more."""
        until = None if for_s is None else self._clock() + 1000 * for_s
        await self._choose(conversation_id, lambda chosen: replace(chosen, muted_until=until))

    async def archive(self, conversation_id: str, archived: bool) -> None:
        """Archives a conversation, or takes it out of the archive."""
        await self._choose(conversation_id, lambda chosen: replace(chosen, archived=archived))

    async def pin(self, conversation_id: str, pinned: bool) -> None:
        """Puts a conversation before others, or back."""
        await self._choose(conversation_id, lambda chosen: replace(chosen, pinned=pinned))

    async def _choose(self, conversation_id: str, change: Callable[[Chosen], Chosen]) -> None:
        conversation = self._conversations.conversation(conversation_id)
        if conversation is None:
            return
        chosen = change(Chosen(conversation.muted_until, conversation.archived, conversation.pinned))
        if not conversation.is_group:
            await self._api.change(conversation_id, chosen)
        self._store(conversation_id, chosen)

    async def _refresh(self) -> None:
        found = await self._api.all()
        with self._database.transaction():
            for conversation_id, chosen in found.items():
                self._store(conversation_id, chosen)

    def _store(self, conversation_id: str, chosen: Chosen) -> None:
        self._database.execute(
            "update conversations set muted_until = ?, archived = ?, pinned = ? where id = ?",
            *(chosen.muted_until, chosen.archived, chosen.pinned, conversation_id),
        )
