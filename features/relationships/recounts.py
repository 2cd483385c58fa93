"""The stored counts of connections: how many are in an account's audience, and in how many audiences it is."""

from features.relationships.queries import audience_size, following_size
from features.stored_counts import CORRECTIONS, StoredCounts

_NEXT = "select account_id as id from connection_counts where account_id > $1 order by account_id limit $2"
_EXISTING = "select account_id from connection_counts where account_id = any($1::uuid[])"
_WRONG = f"""
with each as (
    select account.account_id as id, {audience_size("account.account_id")} as stored_audience,
        {following_size("account.account_id")} as stored_following,
        (select count(*) from connections where owner_id = account.account_id) as audience,
        (select count(*) from connections where viewer_id = account.account_id) as following
    from connection_counts as account where account.account_id = any($1::uuid[])
), wrong as materialized (
    select * from each where (stored_audience, stored_following) <> (audience, following)
)"""
_SHOWN = """
select id, count.name, count.stored::text as stored, count.counted::text as counted
"""
_EACH = """
cross join lateral (
    values ('audience', stored_audience, audience), ('following', stored_following, following)
) as count (name, stored, counted)
where count.stored <> count.counted
"""
_CORRECT = f"""{_WRONG}, kept as materialized (
    select wrong.* from wrong where id in ({_EXISTING} for key share)
), corrected as (
    insert into connection_count_shards as counts (account_id, shard, audience, following)
    select id, {CORRECTIONS}, audience - stored_audience, following - stored_following from kept order by id
    on conflict (account_id, shard) do update set
        audience = counts.audience + excluded.audience, following = counts.following + excluded.following
){_SHOWN} from kept {_EACH}"""

COUNTS = (StoredCounts("connections", _NEXT, f"{_WRONG}{_SHOWN} from wrong {_EACH}", _CORRECT),)
