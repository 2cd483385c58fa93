"""Rings: the people with stories for a reader, as clients show them above a feed.

They are the reader's friends, or followed accounts, who are not muted and have stories that the reader may see. Who has
an unseen story comes first; then who is closer to the reader; then whose story is newer. How close is what the reader
has done: made somebody a close friend, and then how many of their stories the reader has seen lately. What others do
(make the reader a close friend) would show in the order, so it does not count.

The three are one number, so that a page goes on below the last ring of the page before.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.paging import Cursor, PageRequest
from features.posts.privacy import audiences
from features.profiles.model import Person
from features.profiles.queries import joined, person_columns, person_of
from features.relationships.queries import followed
from features.relationships.visibility import close_friend, muted
from features.stories.privacy import live, shown_to

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_SECONDS_BITS = 34
_MAX_SEEN = 511
_CLOSENESS_BITS = 10
"""A close friend, then the number of seen stories."""


@dataclass(frozen=True, slots=True)
class Ring:
    """Somebody with stories for a reader."""

    person: Person
    stories: int
    """How many the reader may see."""
    unseen: int
    """How many of them the reader has not seen."""
    latest_at: datetime
    """When the newest was published."""
    rank: int

    def cursor(self) -> Cursor:
        """Returns the cursor of the page after this ring. It has the rank where others have a time."""
        return Cursor(_EPOCH + self.rank * _MICROSECOND, self.person.id)


_SEEN_LATELY = f"""(select count(*) from (
            select from story_views
            where viewer_id = $1 and story_views.author_id = shown.author_id and viewed_at > $3 limit {_MAX_SEEN}
        ) as lately)"""
_CLOSENESS = f"""case when {close_friend("$1", "shown.author_id")} then {_MAX_SEEN + 1} else 0 end + {_SEEN_LATELY}"""
# Who has no stories is sorted out first: the rest is done for few of those whom the reader follows.
_RINGS = f"""
with followed as materialized (
    select people.id from ({followed("$1")}) as people
    where exists (select from stories where stories.author_id = people.id and {live("$2")})
        and not {muted("$1", "people.id")}
), authors as materialized (
    select followed.id, {audiences("followed.id", "$1")} as audiences from followed
), shown as materialized (
    select stories.author_id, count(*) as stories, max(stories.created_at) as latest_at,
        count(*) filter (where not exists (
            select from story_views where story_id = stories.id and viewer_id = $1
        )) as unseen
    from authors join stories on stories.author_id = authors.id
    where {live("$2")} and {shown_to("$1", among="authors.audiences")} group by stories.author_id
), ranked as (
    select shown.*, ((case when unseen > 0 then 1 else 0 end)::bigint << {_SECONDS_BITS + _CLOSENESS_BITS})
        + (({_CLOSENESS})::bigint << {_SECONDS_BITS}) + floor(extract(epoch from latest_at))::bigint as rank
    from shown
)
select ranked.*, {person_columns("person")} from ranked {joined("person", "ranked.author_id")}
where $4::bigint is null or (rank, ranked.author_id) < ($4, $5::uuid)
order by rank desc, ranked.author_id desc limit $6
"""


async def find_rings(
    uow: UnitOfWork, viewer_id: UUID, page: PageRequest, now: datetime, seen_since: datetime
) -> list[Ring]:
    """Returns the rings of a reader, one more than the page holds. Closeness counts what was seen after
    `seen_since`."""
    after = ((page.cursor.at - _EPOCH) // _MICROSECOND, page.cursor.id) if page.cursor else (None, None)
    rows = await uow.fetch(_RINGS, viewer_id, now, seen_since, *after, page.limit + 1)
    return [
        Ring(
            person_of(row, row["author_id"]),
            row["stories"],
            row["unseen"],
            row["latest_at"],
            row["rank"],
        )
        for row in rows
    ]
