"""Parts of SQL statements on counters, for statements of other slices. Arguments are SQL expressions."""

from collections.abc import Mapping
from typing import Any

from features.counters.model import Counted


def columns(target: str, viewer: str) -> str:
    """Returns the columns that `counted` reads: the counts of a target, and the viewer's own reaction to it."""
    return f"""{counts(target)} as counts,
        (select kind from reactions where target_id = {target} and account_id = {viewer}) as own_reaction"""


def counts(target: str) -> str:
    """Returns an expression: the counts of a target (jsonb, null for none)."""
    return f"""(select jsonb_object_agg(name, count) from (
            select name, sum(count) as count from target_counts where target_id = {target} group by name
        ) as named)"""


def counted(row: Any) -> Counted:
    """Returns what a row with `columns` says."""
    found: Mapping[str, int] | None = row["counts"]
    return Counted(found or {}, row["own_reaction"])
