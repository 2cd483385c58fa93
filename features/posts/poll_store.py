"""SQL of polls. No statement returns the vote of anybody but the reader's own."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.posts.errors import AlreadyVoted
from features.posts.polls import MAX_OPTIONS, PollState

_VOTE = """
with written as (
    insert into poll_votes (post_id, voter_id, choices) values ($1, $2, $3::smallint[])
    on conflict do nothing returning post_id
)
select count(*) from written"""


def vote(uow: UnitOfWork, post_id: UUID, voter_id: UUID, choices: Sequence[int]) -> None:
    """Stores a vote when the unit of work commits, which raises AlreadyVoted for a second one."""
    uow.write_at_commit(_VOTE, post_id, voter_id, choices, refused=AlreadyVoted())


NO_VOTES = f"array_fill(0, array[{MAX_OPTIONS}])"
SUMS = ", ".join(f"count(*) filter (where {option} = any(choices))" for option in range(MAX_OPTIONS))
ADDED = ", ".join(f"counts.counts[{option}] + excluded.counts[{option}]" for option in range(1, MAX_OPTIONS + 1))

_STATES = f"""
select poll.id::text as id, own.choices, counts.voters, counts.counts, late.voters as late_voters,
    late.counts as late_counts
from unnest($1::uuid[], $2::bool[]) as poll (id, closed)
left join poll_votes as own on own.post_id = poll.id and own.voter_id = $3
left join poll_counts as counts on counts.post_id = poll.id
left join lateral (
    select count(*)::int as voters, array[{SUMS}]::int[] as counts from poll_votes
    where poll.closed and poll_votes.post_id = poll.id and not counted  -- of open ones none is read
) as late on poll.closed
"""


async def states(uow: UnitOfWork, viewer_id: UUID | None, closed: Mapping[str, bool]) -> dict[str, PollState]:
    """Returns the state of polls for a reader, by their posts' ids; `closed` says of each whether it is. In one
    statement. Of closed polls every vote counts, of others those that `count_votes` has counted."""
    rows = await uow.fetch(_STATES, [UUID(id) for id in closed], [*closed.values()], viewer_id)
    found = {}
    for row in rows:
        counted, late = row["counts"] or (0,) * MAX_OPTIONS, row["late_counts"] or (0,) * MAX_OPTIONS
        counts = [one + other for one, other in zip(counted, late, strict=True)]
        found[row["id"]] = PollState(row["choices"], (row["voters"] or 0) + (row["late_voters"] or 0), counts)
    return found


_COUNT = f"""
with enough as (
    select post_id from poll_votes where post_id = any($1::uuid[]) and not counted
    group by post_id having count(*) >= $2 order by post_id
), counted as (
    update poll_votes set counted = true from enough
    where poll_votes.post_id = enough.post_id and not counted
    returning poll_votes.post_id, poll_votes.choices
)
insert into poll_counts as counts (post_id, voters, counts)
select post_id, count(*), array[{SUMS}] from counted group by post_id order by post_id
on conflict (post_id) do update set voters = counts.voters + excluded.voters, counts = array[{ADDED}]
returning post_id
"""


async def count_votes(uow: UnitOfWork, post_ids: Collection[UUID], *, at_once: int) -> list[UUID]:
    """Adds the votes that are not counted yet to the results of each poll that has at least `at_once` of them. Returns
    the posts of these polls."""
    return [row["post_id"] for row in await uow.fetch(_COUNT, list(post_ids), at_once)]


_FORGET = """
update poll_votes set voter_id = null where ctid = any(array(
    select ctid from poll_votes where voter_id = $1 limit $2 for update
))
"""


async def forget_voter(uow: UnitOfWork, voter_id: UUID, limit: int) -> bool:
    """Takes an account out of up to `limit` of its votes, which stay counted as nobody's: a result that fell when an
    account ends would tell how it voted. Returns whether votes may be left."""
    tag = await uow.execute(_FORGET, voter_id, limit)
    return int(tag.removeprefix("UPDATE ")) == limit
