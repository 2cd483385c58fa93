"""The interface of the slices whose things people react to."""

from typing import Protocol
from uuid import UUID

from cluster.postgres import UnitOfWork


class TargetAccess(Protocol):
    """Decides who may see the targets of one kind. Whoever sees one may react to it and see who has."""

    async def require_visible(self, uow: UnitOfWork, target_id: UUID, viewer_id: UUID | None, /) -> None:
        """Raises NotFound, as the slice of the target does everywhere, unless the viewer may see the target."""
