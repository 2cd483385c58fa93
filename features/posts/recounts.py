"""The stored counts of posts, and what they count: reactions, reposts, quotes, votes."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.counters.model import QUOTES, REPOSTS, TargetKind
from features.counters.recounts import reaction_counts, target_counts
from features.events import publish
from features.posts.events import PollCounted
from features.posts.model import Audience
from features.posts.poll_store import ADDED, NO_VOTES, SUMS
from features.posts.privacy import visible_to
from features.posts.queries import EXISTING, NEXT
from features.stored_counts import StoredCounts

_SHARES = f"""
select reposted_id as target_id, '{REPOSTS}' as name from posts
where reposted_id = any($1::uuid[]) and {visible_to("posts.author_id")}
union all select quoted_id, '{QUOTES}' from posts
where quoted_id = any($1::uuid[]) and audience = '{Audience.PUBLIC}' and {visible_to("posts.author_id")}
"""

_WRONG = f"""
with counted as (
    select post_id, count(*) as voters, array[{SUMS}]::int[] as counts from poll_votes
    where post_id = any($1::uuid[]) and counted group by post_id
), stored as (
    select post_id, voters, counts from poll_counts where post_id = any($1::uuid[])
), wrong as materialized (
    select post_id as id, coalesce(stored.voters, 0) as stored_voters, coalesce(counted.voters, 0) as voters,
        coalesce(stored.counts, {NO_VOTES}) as stored_counts, coalesce(counted.counts, {NO_VOTES}) as counts
    from counted full join stored using (post_id)
    where (coalesce(counted.voters, 0), coalesce(counted.counts, {NO_VOTES}))
            <> (coalesce(stored.voters, 0), coalesce(stored.counts, {NO_VOTES}))
        and post_id in ({EXISTING})
)"""
_SHOWN = """
select id, 'voters and choices' as name, stored_voters || ' ' || stored_counts::text as stored,
    voters || ' ' || counts::text as counted
"""
_CORRECT = f"""{_WRONG}, kept as materialized (
    select wrong.* from wrong where id in ({EXISTING} order by id for key share)
), corrected as (
    insert into poll_counts as counts (post_id, voters, counts)
    select id, voters - stored_voters, array(
        select option.counted - option.stored
        from unnest(kept.counts, stored_counts) with ordinality as option (counted, stored, number) order by number
    )
    from kept order by id
    on conflict (post_id) do update set voters = counts.voters + excluded.voters, counts = array[{ADDED}]
){_SHOWN} from kept
"""


def _corrected(uow: UnitOfWork, post_ids: Sequence[UUID], now: datetime) -> None:
    for post_id in post_ids:
        publish(uow, PollCounted(post_id), now)


COUNTS = (
    reaction_counts(TargetKind.POST, next=NEXT, existing=EXISTING),
    target_counts("reposts and quotes", TargetKind.POST, (REPOSTS, QUOTES), next=NEXT, existing=EXISTING, rows=_SHARES),
    StoredCounts("votes", NEXT, f"{_WRONG}{_SHOWN} from wrong", _CORRECT, _corrected),
)
