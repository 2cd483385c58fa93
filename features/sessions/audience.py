"""Who may see whose presence: the owner's setting, contacts and blocks."""

from collections.abc import Collection
from uuid import UUID

from cluster.postgres import Database
from features.relationships.visibility import blocked, connected
from features.sessions.machine import Audience

_ALLOWED = f"""
select owner, viewer
from unnest($1::uuid[], $2::uuid[], $3::bool[]) as pair (owner, viewer, everyone)
where not {blocked("owner", "viewer")} and (everyone or {connected("owner", "viewer")})
"""


class PresenceAudience:
    """Asks the brand's database. Its errors pass through."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def allowed(self, pairs: Collection[tuple[UUID, UUID, Audience]]) -> set[tuple[UUID, UUID]]:
        """Of the (owner, viewer, owner's setting) triples, the (owner, viewer) pairs that may be shown."""
        mine = {(owner, viewer) for owner, viewer, _ in pairs if owner == viewer}
        asked = [
            (owner, viewer, audience is Audience.EVERYONE)
            for owner, viewer, audience in pairs
            if owner != viewer and audience is not Audience.NOBODY
        ]
        if not asked:
            return mine
        owners, viewers, everyone = zip(*asked, strict=True)
        async with self._database.unit_of_work(read_only=True) as uow:
            rows = await uow.fetch(_ALLOWED, list(owners), list(viewers), list(everyone))
        return mine | {(row["owner"], row["viewer"]) for row in rows}
