"""Parts of SQL statements on relationships, for statements of other slices. Arguments are SQL expressions.

visibility.py has the predicates; these return rows.
"""


def followed(viewer: str) -> str:
    """A query of the accounts (id) whose audience the viewer is in."""
    return f"select owner_id as id from connections where viewer_id = {viewer}"


def audience(owner: str, *, after: str, limit: str) -> str:
    """A query of an account's audience (viewer_id) in the order of ids, after one of them."""
    return f"""select viewer_id from connections where owner_id = {owner} and viewer_id > {after}
        order by viewer_id limit {limit}"""


def audience_size(account: str) -> str:
    """The number of people in an account's audience; null for an account that does not exist."""
    return _count("audience", account)


def following_size(account: str) -> str:
    """The number of audiences that an account is in; null for an account that does not exist."""
    return _count("following", account)


def _count(column: str, account: str) -> str:
    return f"""(select counts.{column} + coalesce((
            select sum({column}) from connection_count_shards as shards where shards.account_id = counts.account_id
        ), 0) from connection_counts as counts where counts.account_id = {account})"""


def lists_with(member: str, *, owners: str, limit: str) -> str:
    """A query of up to `limit` lists (list_id) of these owners (a query of ids) that somebody is on."""
    return f"""select list_id from list_members join lists on lists.id = list_id
        where member_id = {member} and owner_id in ({owners}) limit {limit}"""


def close_friend_of(member: str, *, limit: str) -> str:
    """A query of the accounts (id) whose close friend somebody is; see `_of_circles` for more than `limit`."""
    some = f"select owner_id as id from close_friends where member_id = {member} limit {limit}"
    is_one = f"(select true from close_friends where owner_id = followed.id and member_id = {member})"
    return _of_circles(some, f"select followed.id from ({followed(member)}) as followed where {is_one}", limit)


def on_lists(member: str, *, limit: str) -> str:
    """A query of the lists (id) that somebody is on; see `_of_circles` for more than `limit`."""
    some = f"select list_id as id from list_members where member_id = {member} limit {limit}"
    is_on = f"(select true from list_members where list_id = lists.id and member_id = {member})"
    of_followed = f"""select lists.id from ({followed(member)}) as followed
        join lists on lists.owner_id = followed.id where {is_on}"""
    return _of_circles(some, of_followed, limit)


def _of_circles(some: str, of_followed: str, limit: str) -> str:
    """Strangers choose whom they add to their circles, and how many do must not decide what a request of that person
    costs. Beyond the limit, the query finds some of them, and of the others those of people whose audience the member
    is in, which the member has chosen. (`of_followed` asks for membership with a scalar subquery, which Postgres cannot
    turn into a join that reads all circles with the member.)"""
    return f"""select id from ({some}) as some_circles
        union select id from ({of_followed}) as chosen
            where (select count(*) from ({some}) as counted) >= {limit}"""


def separated_from(account: str, *, limit: str) -> str:
    """A query of up to `limit` accounts (id) that a block, either way, separates from an account."""
    return f"""(select blocked_id as id from blocks where blocker_id = {account} limit {limit})
        union (select blocker_id from blocks where blocked_id = {account} limit {limit}) limit {limit}"""


def own_list(list_id: str, owner: str) -> str:
    """The list exists and is the owner's: a predicate that locks it, so that it still exists when a row refers to
    it."""
    return f"exists (select from lists where lists.id = {list_id} and lists.owner_id = {owner} for key share)"


def lock_list(list_id: str) -> str:
    """A statement that locks a list against deletion."""
    return f"select from lists where id = {list_id} for key share"
