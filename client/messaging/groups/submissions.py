"""What the server has to accept before it takes effect: founding, proposals, commits and joins, one of each group.

They are stored before they are sent, and sent as they are until there is an answer.
"""

import uuid
from dataclasses import dataclass, field
from enum import StrEnum

from client.messaging.groups.requests import ChangeGroup, FoundGroup
from client.storage import Database
from crypto.mls import CommitBundle, Group
from crypto.randomness import Randomness


class Kind(StrEnum):
    FOUND = "found"
    PROPOSAL = "proposal"
    COMMIT = "commit"
    JOIN = "join"


@dataclass(frozen=True, slots=True)
class Submission:
    """`state`: a CommitBundle, or the group of a join, encoded. `wish`: the number of what it fulfils. `seq`: under
    which it was accepted; None: not yet."""

    group_id: str
    kind: Kind
    client_id: str
    message: bytes = field(repr=False)
    welcome: bytes | None = field(repr=False)
    group_info: bytes | None = field(repr=False)
    state: bytes | None = field(repr=False)
    wish: int | None
    seq: int | None

    def request(self) -> FoundGroup | ChangeGroup:
        """As it is sent."""
        if self.kind is Kind.FOUND:
            return FoundGroup(self.group_id, self.message)
        return ChangeGroup(self.group_id, self.client_id, self.message, self.welcome, self.group_info)


class Submissions:
    """Callers hold the transaction. There must be none of the group before one is added."""

    def __init__(self, database: Database, randomness: Randomness) -> None:
        self._database = database
        self._randomness = randomness

    def find(self, group_id: str) -> Submission | None:
        rows = self._database.rows(
            "select group_id, kind, client_id, message, welcome, group_info, state, wish, seq from group_submissions"
            " where group_id = ?",
            group_id,
        )
        if not rows:
            return None
        id, kind, *rest = rows[0]
        return Submission(id, Kind(kind), *rest)

    def found(self, group: Group) -> None:
        """A group of this device alone."""
        self._add(group.group_id.hex(), Kind.FOUND, group.group_info(), None, None, None, None)

    def propose(self, group_id: str, message: bytes) -> None:
        self._add(group_id, Kind.PROPOSAL, message, None, None, None, None)

    def commit(self, group_id: str, bundle: CommitBundle, wish: int | None) -> None:
        self._add(*(group_id, Kind.COMMIT, bundle.message, bundle.welcome, bundle.group_info, bundle.serialize(), wish))

    def join(self, group_id: str, message: bytes, group: Group) -> None:
        """A commit by which this device comes in."""
        self._add(group_id, Kind.JOIN, message, None, group.group_info(with_tree=False), group.serialize(), None)

    def accepted(self, group_id: str, seq: int) -> None:
        """The server has stored it."""
        self._database.execute("update group_submissions set seq = ? where group_id = ?", seq, group_id)

    def forget(self, group_id: str) -> None:
        """It has taken effect, or never will."""
        self._database.execute("delete from group_submissions where group_id = ?", group_id)

    def _add(
        self,
        group_id: str,
        kind: Kind,
        message: bytes,
        welcome: bytes | None,
        group_info: bytes | None,
        state: bytes | None,
        wish: int | None,
    ) -> None:
        self._database.execute(
            "insert into group_submissions (group_id, kind, client_id, message, welcome, group_info, state, wish)"
            " values (?, ?, ?, ?, ?, ?, ?, ?)",
            *(group_id, kind, str(uuid.UUID(bytes=self._randomness.random_bytes(16))), message, welcome, group_info),
            *(state, wish),
        )
