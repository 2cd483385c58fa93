"""Who may see a user's presence: the user's setting, contacts, blocks and states of accounts, as Postgres has them at
that moment."""

from collections.abc import Collection
from enum import StrEnum
from uuid import UUID

from cluster.postgres import Database
from features.relationships.visibility import apart, connected


class PresenceAudience(StrEnum):
    """The setting: whom a user shows the presence to."""

    NOBODY = "nobody"
    CONTACTS = "contacts"
    EVERYONE = "everyone"


_ALLOWED = f"""
select owner, viewer
from unnest($1::uuid[], $2::uuid[]) as pair (owner, viewer)
left join presence_settings on account_id = owner
where not {apart("owner", "viewer")} and case coalesce(audience, 'contacts')
    when 'everyone' then true
    when 'contacts' then {connected("owner", "viewer")}
    else false
end
"""


class PresenceAccess:
    """Answers from the brand's database. Database errors propagate."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def allowed(self, pairs: Collection[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
        """Returns those (owner, viewer) pairs in which the viewer may see the owner's presence. An owner who does not
        exist is visible only to the same id."""
        own = {(owner, viewer) for owner, viewer in pairs if owner == viewer}
        asked = [pair for pair in pairs if pair not in own]
        if not asked:
            return own
        owners, viewers = zip(*asked, strict=True)
        async with self._database.unit_of_work(read_only=True) as uow:
            rows = await uow.fetch(_ALLOWED, list(owners), list(viewers))
        return own | {(row["owner"], row["viewer"]) for row in rows}
