"""A bound on what a page of a list costs that anybody may have written into: reactions, followers, comments, hashtags.

Its rows are looked at in the order of the list, and those that the viewer may not see are passed over. There may be any
number of these (the reactions of a thousand suspended accounts), so a page looks at `MAX_LOOKED_AT` rows at most. One
that ends there has what it found, perhaps nothing, and the next page goes on behind the last row that was looked at.
That one may be hidden, so cursors of these lists are sealed (features/sealed_cursors.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from features.paging import Cursor, Page, page_of
from features.sealed_cursors import CursorsOfList

Row = Any
"""A row of a result: columns by name."""
T = TypeVar("T")

MAX_LOOKED_AT = 500


def looked_at(table: str, source: str, *, order: str, shown: str, limit: str) -> str:
    """Returns two common table expressions with the columns of `table`: ``visible`` has up to `limit` rows that the
    viewer may see, and ``last_looked_at`` where they end for the bound's sake, if they do.

    `source` is what stands after ``from``: the table, or a query of that name, and which rows are the list's. `order`
    is theirs, best one that an index has. `shown` is a query that has a row if the viewer may see a row of `table`."""
    # Lateral, with a limit of its own: Postgres keeps the order, and stops at the last row that is wanted.
    return f"""visible as (
    select {table}.*
    from (select {table}.* from {source} order by {order} limit {MAX_LOOKED_AT}) as {table}
    cross join lateral ({shown} limit 1) as shown
    order by {order} limit {limit}
), last_looked_at as (
    select {table}.* from {source} and (select count(*) from visible) < {limit}
    order by {order} offset {MAX_LOOKED_AT - 1} limit 1
)"""


def with_bound(shown: str, *, at: str, id: str, order: str) -> str:
    """Returns the end of a statement that has ``visible`` and ``last_looked_at``, whose rows are for `split`: the rows
    of the query `shown`, which has a column id, in an `order` of its columns. `at` and `id` are those of
    ``last_looked_at`` with which a page begins after a row."""
    return f"""
select last.{at} as last_at, last.{id} as last_id, shown.*
from (values (true)) as always left join last_looked_at as last on true left join ({shown}) as shown on true
order by {order}
"""


@dataclass(frozen=True, slots=True)
class Found:
    """Rows of a page, and `last_at` and `last_id` of the row with which the bound ended it, if it did."""

    rows: list[Row]
    bound: tuple[Any, Any] | None

    @property
    def cursor(self) -> Cursor | None:
        """The bound of a list in the order of times."""
        return Cursor(*self.bound) if self.bound else None


def split(rows: Sequence[Row]) -> Found:
    """Returns what the rows of `with_bound` say."""
    last = rows[0]
    bound = (last["last_at"], last["last_id"]) if last["last_id"] else None
    return Found([row for row in rows if row["id"]], bound)


def page_until(
    items: Sequence[T], limit: int, cursor: Callable[[T], Cursor], bound: Cursor | None, cursors: CursorsOfList
) -> Page[T]:
    """Makes a page from up to `limit + 1` items and the bound that was found with their rows."""
    page = page_of(items, limit, cursor, cursors.seal)
    return Page(page.items, cursors.seal(bound)) if bound is not None and page.next_cursor is None else page
