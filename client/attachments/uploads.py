"""Files that are encrypted here and not sent yet.

The message of a file is written when all of it is at the server, in the transaction that forgets the upload: so none
goes without its file, and none twice.
"""

from dataclasses import dataclass, field

from client.messaging.contents import Attachment
from client.storage import Database
from crypto.attachments import AttachmentPointer


@dataclass(frozen=True, slots=True)
class Upload:
    """`text`: of the message. `length`: of the content in bytes. `id`: at the server, 32 hexadecimal digits; None
    before it is begun there. `received`: how many bytes of the ciphertext are there, in parts of `part_size`."""

    number: int
    conversation_id: str
    text: str = field(repr=False)
    pointer: AttachmentPointer
    name: str = field(repr=False)
    media_type: str
    length: int
    id: str | None = None
    received: int = 0
    part_size: int = 0

    @property
    def attachment(self) -> Attachment:
        """What the message carries, once all of it is at the server."""
        assert self.id is not None
        assert self.received == self.pointer.size
        return Attachment(self.id, self.pointer, self.name, self.media_type, self.length)


class Uploads:
    """Methods that change something are called within a transaction, or are one statement."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, conversation_id: str, text: str, pointer: AttachmentPointer, name: str, media_type: str, length: int
    ) -> None:
        """Adds a file that is encrypted in the account's folder."""
        self._database.execute(
            "insert into uploads (conversation_id, text, pointer, name, media_type, length) values (?, ?, ?, ?, ?, ?)",
            *(conversation_id, text, pointer.encode(), name, media_type, length),
        )

    def next(self) -> Upload | None:
        """The oldest upload."""
        rows = self._database.rows(
            "select number, conversation_id, text, pointer, name, media_type, length, id, received,"
            " part_size from uploads"
            " order by number limit 1"
        )
        for number, conversation_id, text, pointer, *rest in rows:
            return Upload(number, conversation_id, text, AttachmentPointer.decode(pointer), *rest)
        return None

    def begun(self, number: int, attachment_id: str, part_size: int) -> None:
        """The server has begun an upload under an id."""
        self._database.execute(
            "update uploads set id = ?, received = 0, part_size = ? where number = ?", attachment_id, part_size, number
        )

    def lost(self, number: int) -> None:
        """The server does not know an upload any more: it begins anew."""
        self._database.execute("update uploads set id = null, received = 0 where number = ?", number)

    def received(self, number: int, received: int) -> None:
        """So many bytes are at the server."""
        self._database.execute("update uploads set received = ? where number = ?", received, number)

    def forget(self, number: int) -> None:
        """The message is written, or never will be."""
        self._database.execute("delete from uploads where number = ?", number)
