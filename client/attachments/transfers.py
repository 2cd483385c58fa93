"""Moves encrypted files between the account's folder and the server.

What is to be done is in the database, so it goes on where it was when the process ended. A part that was sent and not
answered is sent again; an upload that the server has lost, since it took too long, begins anew.
"""

import asyncio
import contextlib
import mimetypes
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from client.api import ApiError, Connection, NoResponse
from client.attachments.files import AttachmentFiles, SealedFile
from client.attachments.uploads import Upload, Uploads
from client.messaging import Change, FileNotSent, FileProgress, attachment_rows
from client.messaging.body import MAX_MEDIA_TYPE, MAX_NAME, MAX_TEXT
from client.messaging.contents import Attachment
from client.storage import Database
from crypto.attachments import AttachmentRejected

MAX_FILE_BYTES = 100 * 1024 * 1024
"""What the platform takes, once it is encrypted (docs/messaging.md)."""
_RANGE = 1 << 20
_UNKNOWN_TYPE = "application/octet-stream"


class Transfers:
    """All methods are called in one event loop."""

    def __init__(
        self,
        database: Database,
        connection: Connection,
        files: AttachmentFiles,
        send: Callable[[Upload, Callable[[], None]], None],
        tell: Callable[[Change], None],
    ) -> None:
        """`send` writes the message of an upload that is complete, and calls what it is given in the same transaction.
        `tell`: what the user should see."""
        self._database = database
        self._connection = connection
        self._files = files
        self._send = send
        self._tell = tell
        self._uploads = Uploads(database)
        self._storing = asyncio.Lock()  # no file without a row is deleted that is about to get one
        self._downloading = asyncio.Lock()
        files.forget_unfinished()

    async def add(self, conversation_id: str, source: Path, text: str | None) -> None:
        """Encrypts a file, to be sent with a text, its name if there is none. Raises ValueError, whose text is for the
        user, or OSError."""
        if len(text or "") > MAX_TEXT:
            raise ValueError(f"A text has at most {MAX_TEXT:,} characters.")
        name = source.name.encode(errors="replace").decode()[:MAX_NAME]
        media_type = (mimetypes.guess_type(name)[0] or _UNKNOWN_TYPE)[:MAX_MEDIA_TYPE]
        async with self._storing:
            sealed = await asyncio.to_thread(self._seal, source)
            self._uploads.add(conversation_id, text or name, sealed.pointer, name, media_type, sealed.length)

    async def step(self) -> bool:
        """Does the next of what waits. Returns whether there was anything. Raises NoResponse, SignedOut."""
        unwanted = attachment_rows.unwanted(self._database)
        if unwanted is not None:
            await self._delete(unwanted)
            return True
        upload = self._uploads.next()
        if upload is None:
            await self._tidy()
            return False
        try:
            await self._advance(upload)
        except ApiError as error:
            if error.code == "no_such_attachment":
                self._uploads.lost(upload.number)
            elif error.code == "attachment_part_out_of_order" and isinstance(error.current, dict):
                self._uploads.received(upload.number, int(error.current["received"]))
            else:
                self._give_up(upload, error.code or str(error.status))
        except OSError:
            self._give_up(upload, "file_unreadable")
        return True

    async def save(self, attachment: Attachment, target: Path) -> None:
        """Downloads an attachment, unless it is here, and decrypts it into a new file. Raises ApiError, NoResponse,
        SignedOut; AttachmentRejected for one that is not what its author has sent; FileExistsError, OSError."""
        async with self._downloading:
            if not self._files.stored(attachment.pointer):
                await self._download(attachment)
        await asyncio.to_thread(self._files.save, attachment.pointer, target)

    def _seal(self, source: Path) -> SealedFile:
        if not source.is_file():
            raise ValueError("There is no such file.")
        if source.stat().st_size > MAX_FILE_BYTES:
            raise ValueError(f"A file has at most {MAX_FILE_BYTES // 1024**2} MiB.")
        return self._files.seal(source)

    async def _advance(self, upload: Upload) -> None:
        size = upload.pointer.size
        if upload.id is None:
            begun = await self._connection.request("POST", "/attachments", {"size": size})
            self._uploads.begun(upload.number, UUID(begun["id"]).hex, int(begun["part_size"]))
        elif upload.received < size:
            data = self._files.read(upload.pointer.digest, upload.received, upload.part_size)
            if not data:
                raise OSError("the encrypted file is too short")
            await self._connection.upload(
                f"/attachments/{UUID(upload.id)}/parts/{upload.received // upload.part_size}", data
            )
            self._uploads.received(upload.number, upload.received + len(data))
            self._tell(FileProgress(upload.name, upload.received + len(data), size, sending=True))
        else:
            self._send(upload, lambda: self._uploads.forget(upload.number))

    async def _download(self, attachment: Attachment) -> None:
        pointer = attachment.pointer
        path = f"/attachments/{UUID(attachment.id)}/content"
        while (received := self._files.received(pointer)) < pointer.size:
            end = min(received + _RANGE, pointer.size)
            try:
                data = await self._connection.download(path, (received, end))
            except ApiError as error:
                if error.status != 416:
                    raise
                self._files.drop(pointer)
                raise AttachmentRejected("shorter than its pointer says") from error
            if not data:
                raise NoResponse("an empty range")
            self._files.receive(pointer, data[: end - received])
            self._tell(FileProgress(attachment.name, received + len(data), pointer.size, sending=False))
        await asyncio.to_thread(self._files.accept, pointer)

    async def _delete(self, attachment_id: str) -> None:
        with contextlib.suppress(ApiError):  # another device has, or it has expired
            await self._connection.request("DELETE", f"/attachments/{UUID(attachment_id)}")
        attachment_rows.deleted(self._database, attachment_id)

    async def _tidy(self) -> None:
        async with self._storing:
            self._files.tidy(attachment_rows.digests(self._database))

    def _give_up(self, upload: Upload, code: str) -> None:
        self._uploads.forget(upload.number)
        self._tell(FileNotSent(upload.name, code))
