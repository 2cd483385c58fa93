"""Who may see whose presence: the owner's setting, contacts and blocks. Postgres decides, whatever a session knows."""

from collections.abc import Collection
from enum import StrEnum
from uuid import UUID

from cluster.postgres import Database, UnitOfWork
from features.relationships.visibility import blocked, connected


class Audience(StrEnum):
    """Who may see a user's presence."""

    NOBODY = "nobody"
    CONTACTS = "contacts"
    EVERYONE = "everyone"


_ALLOWED = f"""
select owner, viewer
from unnest($1::uuid[], $2::uuid[]) as pair (owner, viewer)
left join presence_settings on account_id = owner
where not {blocked("owner", "viewer")} and case coalesce(audience, 'contacts')
    when 'everyone' then true
    when 'contacts' then {connected("owner", "viewer")}
    else false
end
"""

_SET = """
insert into presence_settings (account_id, audience) values ($1, $2)
on conflict (account_id) do update set audience = excluded.audience
"""


class PresenceAudience:
    """Asks the brand's database. Its errors pass through."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def allowed(self, pairs: Collection[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
        """Of the (owner, viewer) pairs those in which the viewer may see the owner's presence. Owners who do not exist
        are seen by nobody but themselves."""
        mine = {(owner, viewer) for owner, viewer in pairs if owner == viewer}
        asked = [pair for pair in pairs if pair not in mine]
        if not asked:
            return mine
        owners, viewers = zip(*asked, strict=True)
        async with self._database.unit_of_work(read_only=True) as uow:
            rows = await uow.fetch(_ALLOWED, list(owners), list(viewers))
        return mine | {(row["owner"], row["viewer"]) for row in rows}


async def audience_of(uow: UnitOfWork, account_id: UUID) -> Audience:
    """Whom a user shows the presence to."""
    return Audience(
        await uow.fetchval("select audience from presence_settings where account_id = $1", account_id)
        or Audience.CONTACTS
    )


async def set_audience(uow: UnitOfWork, account_id: UUID, audience: Audience) -> None:
    """Whom a user shows the presence to from now on."""
    await uow.execute(_SET, account_id, audience.value)
