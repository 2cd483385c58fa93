"""What the user chooses about a conversation: muted, archived, pinned. For conversations with people the server has it
for all devices; groups have it on each device."""

from collections.abc import Awaitable, Callable
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
        changed: Callable[[], None],
    ) -> None:
        """`clock`: milliseconds since 1970. `changed`: is told when something was refreshed."""
        super().__init__(changed)
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
        await self._choose(
            conversation_id,
            lambda chosen: replace(chosen, muted_until=until),
            lambda: self._api.mute(conversation_id, until),
        )

    async def archive(self, conversation_id: str, archived: bool) -> None:
        """Archives a conversation, or takes it out of the archive."""
        await self._choose(
            conversation_id,
            lambda chosen: replace(chosen, archived=archived),
            lambda: self._api.archive(conversation_id, archived),
        )

    async def pin(self, conversation_id: str, pinned: bool) -> None:
        """Puts a conversation before others, or back."""
        await self._choose(
            conversation_id,
            lambda chosen: replace(chosen, pinned=pinned),
            lambda: self._api.pin(conversation_id, pinned),
        )

    async def _choose(
        self, conversation_id: str, change: Callable[[Chosen], Chosen], tell: Callable[[], Awaitable[Chosen]]
    ) -> None:
        """`change`: for groups; `tell`: chooses on the server, which knows what other devices have chosen besides."""
        async with self._one_at_a_time:
            here = self._conversations.conversation(conversation_id)
            if here is not None and here.is_group:
                self._store(conversation_id, change(Chosen(here.muted_until, here.archived, here.pinned)))
            elif here is not None:
                self._store(conversation_id, await tell())

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
