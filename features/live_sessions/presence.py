"""Who may see a user's presence: the user's setting, contacts, blocks and states of accounts, as Postgres has them at
that moment."""

from collections.abc import Collection
from enum import StrEnum
from uuid import UUID

from cluster.postgres import Database
from features.accounts.queries import inactive
from features.relationships.visibility import apart, connected, has_blocked


class PresenceAudience(StrEnum):
    """The setting: whom a user shows the presence to."""

    NOBODY = "nobody"
    CONTACTS = "contacts"
    EVERYONE = "everyone"


def _pairs(hidden: str) -> str:
    return f"""
select owner, viewer
from unnest($1::uuid[], $2::uuid[]) as pair (owner, viewer)
left join presence_settings on account_id = owner
where not {hidden} and case coalesce(audience, 'contacts')
    when 'everyone' then true
    when 'contacts' then {connected("owner", "viewer")}
    else false
end
"""


_ALLOWED = _pairs(apart("owner", "viewer"))
_TOLD_OF_END = _pairs(f"({has_blocked('owner', 'viewer')} or {has_blocked('viewer', 'owner')} or {inactive('viewer')})")


class PresenceAccess:
    """Answers from the brand's database. Database errors propagate."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def allowed(self, pairs: Collection[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
        """Returns those (owner, viewer) pairs in which the viewer may see the owner's presence. An owner who does not
        exist is visible only to the same id."""
        return await self._among(pairs, _ALLOWED)

    async def told_of_end(self, pairs: Collection[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
        """Returns those pairs in which the viewer, who has seen the owner's presence, may be told that the owner went
        offline: also if that is because the owner's account is not active any more."""
        return await self._among(pairs, _TOLD_OF_END)

    async def _among(self, pairs: Collection[tuple[UUID, UUID]], sql: str) -> set[tuple[UUID, UUID]]:
        own = {(owner, viewer) for owner, viewer in pairs if owner == viewer}
        asked = [pair for pair in pairs if pair not in own]
        if not asked:
            return own
        owners, viewers = zip(*asked, strict=True)
        async with self._database.unit_of_work(read_only=True) as uow:
            rows = await uow.fetch(sql, list(owners), list(viewers))
        return own | {(row["owner"], row["viewer"]) for row in rows}
