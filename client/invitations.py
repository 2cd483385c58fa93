"""Invitations to groups by link: who opens one asks to join, and the device of an owner or admin adds whom its user
lets in. The server could ask in somebody's name: whoever approves decides about a person, as with any addition, and the
keys that come in are those of the key directory."""

from collections.abc import Callable

from client.api import ApiError
from client.api.group_invitations import GroupInvitationsApi, Invitation, JoinRequest
from client.conversations import Conversation, Conversations
from client.groups import Groups
from client.invitation_link import InvitationLink
from client.messaging.changes import Change, JoinRequested
from client.refreshed import Refreshed
from client.writing import Impossible
from crypto.mls import Role

_LIFETIME_S = 7 * 86_400
_MAX_USES = 100


class Invitations(Refreshed):
    """Methods raise ValueError, whose text is for the user; ApiError, NoResponse and SignedOut."""

    def __init__(
        self,
        url: str,
        api: GroupInvitationsApi,
        groups: Groups,
        conversations: Conversations,
        tell: Callable[[Change], None],
    ) -> None:
        """`url`: of the brand. `tell`: is told what the user should see."""
        super().__init__(lambda: None)
        self._url = url.rstrip("/")
        self._api = api
        self._groups = groups
        self._conversations = conversations
        self._tell = tell
        self._told: set[str] = set()
        self._unanswered: dict[str, JoinRequest] = {}
        """Requests whose approval the server may have, or not."""

    async def create(
        self, conversation_id: str, expires_in_s: int = _LIFETIME_S, max_uses: int = _MAX_USES
    ) -> InvitationLink:
        """Makes a link with which up to `max_uses` people can be let into a group. It is shown this one time."""
        self._groups.check_role(conversation_id, Role.ADMIN)
        conversation = self._conversations.conversation(conversation_id)
        name = None if conversation is None else conversation.username
        if name is None:
            raise Impossible("This device does not know yet what the group is called.")
        return InvitationLink(self._url, await self._api.create(conversation_id, expires_in_s, max_uses), name)

    async def of_group(self, conversation_id: str) -> list[Invitation]:
        """The links to a group that are good, newest first."""
        self._groups.check_role(conversation_id, Role.ADMIN)
        return await self._api.of_group(conversation_id)

    async def revoke(self, conversation_id: str, invitation_id: str) -> None:
        """Ends a link, and what was asked by it."""
        self._groups.check_role(conversation_id, Role.ADMIN)
        await self._api.revoke(conversation_id, invitation_id)

    async def ask(self, text: str) -> InvitationLink:
        """Asks to join the group of a link. Returns what the link says."""
        link = InvitationLink.parse(text)
        if link.url != self._url:
            raise Impossible(f"This invitation is for accounts at {link.url}.")
        await self._api.ask(link.token)
        return link

    async def requests(self, conversation_id: str) -> list[JoinRequest]:
        """Who has asked to join a group, newest first."""
        self._groups.check_role(conversation_id, Role.ADMIN)
        return [each for each in await self._api.requests() if each.group_id == conversation_id]

    async def approve(self, conversation_id: str, username: str) -> None:
        """Adds somebody who has asked to join, with all devices."""
        request = await self._find(conversation_id, username)
        if self._conversations.account(username) not in (None, request.account_id):  # the server says usernames
            raise Impossible(f"{username} is not whom you write to by this name.")
        self._unanswered[request.id] = request
        try:
            await self._api.approve(request.id)
        except ApiError:
            del self._unanswered[request.id]
            raise
        self._conversations.name_person(request.account_id, request.username)
        self._groups.add_account(conversation_id, request.account_id)
        del self._unanswered[request.id]

    async def decline(self, conversation_id: str, username: str) -> None:
        """Does not let somebody in, who is not told."""
        await self._api.decline((await self._find(conversation_id, username)).id)

    async def _refresh(self) -> None:
        """Tells of requests that were not told of before."""
        managed = {each.id for each in self._conversations.all() if self._manages(each)}
        if not managed:
            return
        waiting = await self._api.requests()
        for each in waiting:
            if each.group_id in managed and each.id not in self._told:
                self._tell(JoinRequested(each.group_id, each.username))
        self._told = {each.id for each in waiting}

    def _manages(self, conversation: Conversation) -> bool:
        if not conversation.is_group or conversation.left:
            return False
        return any(each.own and each.role >= Role.ADMIN for each in self._conversations.members(conversation.id))

    async def _find(self, conversation_id: str, username: str) -> JoinRequest:
        waiting = await self.requests(conversation_id)
        waiting += [each for each in self._unanswered.values() if each.group_id == conversation_id]
        found = next((each for each in waiting if each.username == username), None)
        if found is None:
            raise Impossible(f"{username} has not asked to join this group.")
        return found
