"""What a user does with groups. What is impossible is said before anything is stored; the rest is done when the server
can be reached."""

from collections.abc import Callable, Sequence
from typing import Protocol

from client.conversations import Conversations
from client.messaging import Messenger
from client.messaging.body import check_group_name
from client.messaging.contents import Rename
from client.messaging.groups.wishes import AddPeople, Leave, RemovePeople, SetRole
from client.writing import Impossible
from crypto.mls import Role


class Usernames(Protocol):
    async def find_account(self, username: str) -> str: ...


class Groups:
    """Methods raise ValueError, whose text is for the user, and NotRegistered; those that ask for accounts ApiError,
    NoResponse and SignedOut, too."""

    def __init__(
        self,
        messenger: Callable[[], Messenger],
        conversations: Conversations,
        api: Usernames,
        clock: Callable[[], int],
        done: Callable[[], None],
    ) -> None:
        """`messenger`: raises NotRegistered. `done`: is called after everything that is to be sent and shown."""
        self._messenger = messenger
        self._conversations = conversations
        self._api = api
        self._clock = clock
        self._done = done

    async def create(self, name: str, usernames: Sequence[str]) -> str:
        """Founds a group with people. Returns the id of its conversation."""
        messenger = self._messenger()
        check_group_name(name)
        accounts = await self._accounts(usernames)
        group_id = messenger.groups.create(name, accounts, self._clock())
        self._done()
        return group_id

    async def add(self, conversation_id: str, usernames: Sequence[str]) -> None:
        """Adds people, with all their devices."""
        self.check_role(conversation_id, Role.ADMIN)
        self._messenger().groups.wish(conversation_id, AddPeople(await self._accounts(usernames)))
        self._done()

    def add_account(self, conversation_id: str, account_id: str) -> None:
        """Adds somebody by the account, with all devices."""
        self.check_role(conversation_id, Role.ADMIN)
        self._messenger().groups.wish(conversation_id, AddPeople((account_id,)))
        self._done()

    def remove(self, conversation_id: str, usernames: Sequence[str]) -> None:
        """Removes people, who are not more than the user."""
        own = self.check_role(conversation_id, Role.ADMIN)
        accounts = []
        for username in usernames:
            account_id, role = self._member(conversation_id, username)
            if own is not Role.OWNER and role >= own:
                raise Impossible(f"{username} is {_a(role)}: only an owner can remove an admin or an owner.")
            accounts.append(account_id)
        self._messenger().groups.wish(conversation_id, RemovePeople(tuple(accounts)))
        self._done()

    def set_role(self, conversation_id: str, username: str, role: Role) -> None:
        """Gives somebody a role. Somebody has to stay an owner."""
        self.check_role(conversation_id, Role.OWNER)
        account_id, before = self._member(conversation_id, username)
        if before is Role.OWNER and role is not Role.OWNER and self._owners(conversation_id) == [account_id]:
            raise Impossible("A group has an owner: give that role to somebody else first.")
        self._messenger().groups.wish(conversation_id, SetRole(account_id, role))
        self._done()

    def leave(self, conversation_id: str) -> None:
        """Leaves a group, once another member's device has seen it."""
        self.check_role(conversation_id, Role.MEMBER)
        members = self._conversations.members(conversation_id)
        own = next(each for each in members if each.own)
        if len(members) > 1 and self._owners(conversation_id) == [own.account_id]:
            raise Impossible("You are the only owner: give that role to somebody else first.")
        self._messenger().groups.wish(conversation_id, Leave())
        self._done()

    def rename(self, conversation_id: str, name: str) -> None:
        """Gives a group a name, which the server does not learn."""
        self.check_role(conversation_id, Role.ADMIN)
        check_group_name(name)
        self._messenger().send(conversation_id, Rename(name), self._clock())
        self._done()

    def check_role(self, conversation_id: str, at_least: Role) -> Role:
        """Returns the user's role in a group, if it is enough."""
        own = next((each.role for each in self._conversations.members(conversation_id) if each.own), None)
        if own is None:
            raise Impossible("This is no group that you are in.")
        if own < at_least:
            raise Impossible(f"Only {'an owner' if at_least is Role.OWNER else 'an admin or an owner'} can do this.")
        return own

    def _member(self, conversation_id: str, username: str) -> tuple[str, Role]:
        found = [each for each in self._conversations.members(conversation_id) if each.username == username]
        if not found:
            raise Impossible(f"{username} is not in this group.")
        if len(found) > 1:  # usernames change hands, and the server says them
            raise Impossible(f"Two people here are called {username}.")
        return found[0].account_id, found[0].role

    def _owners(self, conversation_id: str) -> list[str]:
        members = self._conversations.members(conversation_id)
        return [each.account_id for each in members if each.role is Role.OWNER]

    async def _accounts(self, usernames: Sequence[str]) -> tuple[str, ...]:
        found = []
        for username in dict.fromkeys(usernames):
            account_id = self._conversations.account(username) or await self._api.find_account(username)
            self._conversations.name_person(account_id, username)
            found.append(account_id)
        return tuple(found)


def _a(role: Role) -> str:
    return {Role.MEMBER: "a member", Role.ADMIN: "an admin", Role.OWNER: "an owner"}[role]
