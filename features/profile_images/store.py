"""SQL of the files of images of profiles."""

from uuid import UUID

from cluster.postgres import UnitOfWork
from features.accounts.queries import inactive
from features.media.model import StoredFile
from features.media.queries import attached_file
from features.profiles.queries import joined

_FILE = f"""
select file.content_type, file.size, file.digest
from ({attached_file("$1", "$2")}) as file {joined("owner", "file.attached_to")}
where not {inactive("owner.account_id")}
"""


async def find_file(uow: UnitOfWork, media_id: UUID, name: str) -> StoredFile | None:
    """Returns a file of an image that the profile of an active account shows."""
    row = await uow.fetchrow(_FILE, media_id, name)
    return None if row is None else StoredFile(row["content_type"], row["size"], row["digest"])
