"""Asks for the usernames of people whom conversations and groups name by their accounts only."""

import contextlib
from collections.abc import Callable

from client.api import ApiError, MessagingApi, NoResponse
from client.conversations import Conversations

_AT_ONCE = 20
"""Usernames of people in groups that are asked for between other things."""


class Naming:
    def __init__(self, api: MessagingApi, conversations: Conversations, accepted: Callable[[str], None]) -> None:
        """`accepted`: is told of conversations that the user has accepted, or need not."""
        self._api = api
        self._conversations = conversations
        self._accepted = accepted
        self._nameless: set[str] = set()  # accounts that the server does not show

    async def step(self) -> bool:
        """Asks for some. Returns whether there may be more. Raises SignedOut."""
        for conversation_id in self._conversations.unnamed():
            with contextlib.suppress(ApiError, NoResponse):
                username, active = await self._api.peer_of(conversation_id)
                self._conversations.name(conversation_id, username)
                if active:
                    self._accepted(conversation_id)
        more = False
        for account_id in self._conversations.unnamed_people(_AT_ONCE + len(self._nameless)):
            if account_id in self._nameless:
                continue
            try:
                self._conversations.name_person(account_id, await self._api.username_of(account_id))
                more = True
            except ApiError:
                self._nameless.add(account_id)
            except NoResponse:
                break
        return more
