"""What readers have done with posts and only they see: reposted, saved, voted. For feeds that render posts once for
all."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.posts.privacy import visible_to
from features.posts.views import Row


@dataclass(frozen=True, slots=True)
class Marks:
    """Posts that one reader has marked, by the 16 bytes of their ids."""

    reposted: frozenset[bytes] = frozenset()
    saved: frozenset[bytes] = frozenset()
    votes: Mapping[bytes, list[int]] | None = None
    """What the reader chose in polls, by their posts; None: nothing in any."""

    def __len__(self) -> int:
        return len(self.reposted) + len(self.saved) + len(self.votes or ())

    def __or__(self, other: "Marks") -> "Marks":
        votes = {**(self.votes or {}), **(other.votes or {})} or None
        return Marks(self.reposted | other.reposted, self.saved | other.saved, votes)


def _statement(condition: str, limited: str) -> str:
    """Returns a statement of the marks of the account $1 whose post (`{post}`) meets a condition."""

    def rows(columns: str, table: str, post: str, own: str) -> str:
        return (
            f"select {columns} from {table} where {own} and {condition.format(post=post)} {limited.format(post=post)}"
        )

    reposts = rows("posts.reposted_id", "posts", "posts.reposted_id", f"posts.author_id = $1 and {visible_to('$1')}")
    saved = rows("post_id", "saved_posts", "post_id", "account_id = $1")
    votes = rows("post_id, choices", "poll_votes", "post_id", "voter_id = $1")
    return f"""
select array({reposts}) as reposted, array({saved}) as saved,
    (select jsonb_object_agg(post_id, choices) from ({votes}) as votes) as votes
"""


_AMONG = _statement("{post} = any($2::uuid[])", "")
_NEWEST = _statement("{post} is not null", "order by {post} desc limit $2")


async def marks_among(uow: UnitOfWork, account_id: UUID, post_ids: Collection[bytes]) -> Marks:
    """Returns an account's marks of these posts."""
    row = await uow.fetchrow(_AMONG, account_id, [UUID(bytes=id) for id in post_ids])
    return _marks(row)[0]


async def newest_marks(uow: UnitOfWork, account_id: UUID, limit: int) -> tuple[Marks, bytes]:
    """Returns an account's marks of the newest posts that it has marked, up to `limit` of each kind, and the id from
    which on they are all there are."""
    marks, kinds = _marks(await uow.fetchrow(_NEWEST, account_id, limit))
    return marks, max((min(kind) for kind in kinds if len(kind) == limit), default=b"")


def _marks(row: Row | None) -> tuple[Marks, list[Collection[bytes]]]:
    """Returns the marks of a row, and the posts of each kind."""
    assert row is not None
    reposted, saved = (frozenset(id.bytes for id in row[kind]) for kind in ("reposted", "saved"))
    votes = {UUID(id).bytes: choices for id, choices in (row["votes"] or {}).items()}
    return Marks(reposted, saved, votes or None), [reposted, saved, votes]
