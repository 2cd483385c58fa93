"""The tables of this slice."""

from cluster.tables import PartOf, Table

_UNTIL_UNDONE = "until it is undone"

CONNECTIONS = Table("connections", "owner_id", _UNTIL_UNDONE, subjects=("owner_id", "viewer_id"))

OTHER_TABLES = (
    Table("blocks", "blocker_id", _UNTIL_UNDONE, subjects=("blocker_id",), mentions=("blocked_id",)),
    Table("mutes", "muter_id", _UNTIL_UNDONE, subjects=("muter_id",), mentions=("muted_id",)),
    Table("close_friends", "owner_id", _UNTIL_UNDONE, subjects=("owner_id",), mentions=("member_id",)),
    Table("lists", "owner_id", "until its owner deletes it", subjects=("owner_id",)),
    Table("list_members", "list_id", _UNTIL_UNDONE, part_of=PartOf("lists", "list_id"), mentions=("member_id",)),
    Table("connection_count_shards", "account_id", "as long as the account", subjects=("account_id",)),
    # Last to be erased: it is also the lock under which connections change.
    Table("connection_counts", "account_id", "as long as the account", subjects=("account_id",)),
)
