"""SQL of friend requests."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.bounded_lists import Found, Row, looked_at, split, with_bound
from features.friends.machine import RequestState
from features.friends.model import Direction, FriendRequest
from features.paging import PageRequest
from features.relationships.visibility import apart

_BEFORE_ALL = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))

_INSERT = """
insert into friend_requests (id, sender_id, recipient_id, state, created_at, refused_at)
values ($1, $2, $3, $4, $5, $6)
"""

_OPEN_BETWEEN = """
select * from friend_requests where state in ('waiting', 'refused')
and ((sender_id = $1 and recipient_id = $2) or (sender_id = $2 and recipient_id = $1))
"""

_SENDER_STATS = """
select
    (select count(*) from friend_requests where sender_id = $1 and state in ('waiting', 'refused')) as pending,
    (select max(refused_at) from friend_requests where sender_id = $1 and recipient_id = $2
        and refused_at is not null) as refused_at,
    count(*) as sent, min(created_at) as oldest
from friend_requests where sender_id = $1 and created_at > $3
"""


def _pending(whose: str, other: str, states: str) -> str:
    rows = f"friend_requests where {whose} = $1 and state in ({states}) and (created_at, id) < ($2, $3)"
    order = "created_at desc, id desc"
    shown = f"select true where not {apart('$1', f'friend_requests.{other}')}"
    return f"""
with {looked_at("friend_requests", rows, order=order, shown=shown, limit="$4")}
{with_bound("select * from visible", at="created_at", id="id", order="shown.created_at desc, shown.id desc")}
"""


_PENDING = {
    Direction.INCOMING: _pending("recipient_id", "sender_id", "'waiting'"),
    Direction.OUTGOING: _pending("sender_id", "recipient_id", "'waiting', 'refused'"),
}

_FIND_OF = f"""
select * from friend_requests
where id = $1 and $2 in (sender_id, recipient_id) and not {apart("sender_id", "recipient_id")}
"""

_FORGET_REFUSALS = """
update friend_requests set refused_at = null where refused_at is not null
and ((sender_id = $1 and recipient_id = $2) or (sender_id = $2 and recipient_id = $1))
"""

_SEVER = """
update friend_requests set state = 'severed' where state in ('waiting', 'refused')
and ((sender_id = $1 and recipient_id = $2) or (sender_id = $2 and recipient_id = $1))
"""


@dataclass(frozen=True, slots=True)
class SenderStats:
    """A sender's requests to anybody, and when the recipient last refused one."""

    pending: int
    sent: int
    oldest: datetime | None
    refused_at: datetime | None


async def insert(uow: UnitOfWork, request: FriendRequest) -> None:
    await uow.execute(
        _INSERT,
        request.id,
        request.sender_id,
        request.recipient_id,
        request.state,
        request.created_at,
        request.refused_at,
    )


async def set_state(uow: UnitOfWork, request_id: UUID, state: RequestState, refused_at: datetime | None) -> None:
    sql = "update friend_requests set state = $2, refused_at = $3 where id = $1"
    await uow.execute(sql, request_id, state, refused_at)


async def find(uow: UnitOfWork, request_id: UUID) -> FriendRequest | None:
    row = await uow.fetchrow("select * from friend_requests where id = $1", request_id)
    return request_of(row) if row else None


async def find_of(uow: UnitOfWork, request_id: UUID, account_id: UUID) -> FriendRequest | None:
    """Returns a request that an account has sent or received, unless the two are apart."""
    row = await uow.fetchrow(_FIND_OF, request_id, account_id)
    return request_of(row) if row else None


async def open_between(uow: UnitOfWork, a: UUID, b: UUID) -> list[FriendRequest]:
    """Returns the open requests between two accounts, at most one in each direction."""
    return [request_of(row) for row in await uow.fetch(_OPEN_BETWEEN, a, b)]


async def sender_stats(uow: UnitOfWork, sender_id: UUID, recipient_id: UUID, since: datetime) -> SenderStats:
    row = await uow.fetchrow(_SENDER_STATS, sender_id, recipient_id, since)
    assert row is not None
    return SenderStats(row["pending"], row["sent"], row["oldest"], row["refused_at"])


async def pending(uow: UnitOfWork, person_id: UUID, direction: Direction, page: PageRequest) -> Found:
    """Returns up to `limit + 1` requests that are pending for the person, newest first, for `request_of`."""
    position = (page.cursor.at, page.cursor.id) if page.cursor else _BEFORE_ALL
    return split(await uow.fetch(_PENDING[direction], person_id, *position, page.limit + 1))


async def forget_refusals(uow: UnitOfWork, a: UUID, b: UUID) -> None:
    """Ends every cool-down between two accounts."""
    await uow.execute(_FORGET_REFUSALS, a, b)


async def sever(uow: UnitOfWork, a: UUID, b: UUID) -> None:
    await uow.execute(_SEVER, a, b)


def request_of(row: Row) -> FriendRequest:
    """Converts a row of friend_requests."""
    return FriendRequest(
        row["id"],
        row["sender_id"],
        row["recipient_id"],
        RequestState(row["state"]),
        row["created_at"],
        row["refused_at"],
    )
