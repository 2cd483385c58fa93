"""People with a device each, who meet in groups at a server in memory."""

from pathlib import Path

from client.messaging import Messenger
from client.messaging.groups.states import GroupState
from client.messaging.requests import Request
from client.storage import Database
from crypto.mls import Role
from crypto.randomness import SystemRandomness
from tests.unit.client.model_server import ModelServer

ADA, BOB, CLEO = "a" * 32, "b" * 32, "c" * 32
RANDOM = SystemRandomness()


class Talk:
    """People with a device each, at a server."""

    def __init__(self, folder: Path) -> None:
        self.server = ModelServer()
        self.folder = folder
        self.databases: dict[Messenger, Database] = {}
        self.ada, self.bob, self.cleo = (self.device(each) for each in (ADA, BOB, CLEO))

    def device(self, account_id: str, number: int = 1) -> Messenger:
        path = self.folder / f"{account_id[0]}{number}.db"
        database = Database(path, bytes(32))
        self.server.register(database, account_id, number, RANDOM)
        return self.messenger(database)

    def messenger(self, database: Database) -> Messenger:
        messenger = Messenger(database, self.server.directory.public, prekeys=2, key_packages=2)
        self.databases[messenger] = database
        self.work(messenger)
        return messenger

    def restart(self, messenger: Messenger) -> Messenger:
        """The program ends and begins anew."""
        database = self.databases.pop(messenger)
        database.close()
        return self.messenger(Database(database.path, bytes(32)))

    def work(self, *messengers: Messenger) -> list[Request]:
        """All do what there is to do. Returns it."""
        requests: list[Request] = []
        for messenger in messengers:
            while (request := messenger.next_request(self.server.now)) is not None:
                messenger.handle(request, self.server.perform(messenger.address, request), self.server.now)
                requests.append(request)
        return requests

    def exchange(self, *messengers: Messenger) -> list[Request]:
        """As if all were connected for a while."""
        requests: list[Request] = []
        for _ in range(4):
            self.server.now += 1_000
            self.server.close_epoch()
            for messenger in messengers or tuple(self.databases):
                messenger.fetch()
                requests += self.work(messenger)
        return requests

    def group(self, *others: str, name: str = "Trip") -> str:
        """Ada founds a group."""
        group_id = self.ada.groups.create(name, others, self.server.now)
        self.exchange()
        return group_id

    def texts(self, messenger: Messenger, group_id: str) -> list[str | None]:
        rows = self.databases[messenger].rows(
            "select coalesce(text, problem) from messages where conversation_id = ? order by seq is null, seq", group_id
        )
        return [text for (text,) in rows]

    def members(self, messenger: Messenger, group_id: str) -> dict[str, Role]:
        rows = self.databases[messenger].rows("select account_id, role from group_members where group_id = ?", group_id)
        return {account_id: Role(role) for account_id, role in rows}

    def state(self, messenger: Messenger, group_id: str) -> GroupState | None:
        rows = self.databases[messenger].rows("select state from groups where id = ?", group_id)
        return GroupState(rows[0][0]) if rows else None

    def name(self, messenger: Messenger, group_id: str) -> str | None:
        rows = self.databases[messenger].rows("select username from conversations where id = ?", group_id)
        return None if rows[0][0] is None else str(rows[0][0])

    def say(self, messenger: Messenger, group_id: str, text: str) -> int:
        return messenger.write(group_id, text, self.server.now)
