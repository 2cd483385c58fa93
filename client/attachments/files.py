"""Encrypted files in the folder of an account.

A file is stored as it is uploaded and downloaded, encrypted, under the SHA-256 of its ciphertext (with `.part`: the
beginning of it). Its key is in the encrypted database alone: without a row there, what is left of a file is noise.
"""

import os
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from crypto.attachments import AttachmentPointer, AttachmentReader, AttachmentWriter
from crypto.randomness import Randomness

_CHUNK = 1 << 20
_PART = ".part"
_NEW = ".new"


class FileChanged(OSError):
    """A file has become longer or shorter while it was read."""


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A file that was encrypted. `length`: of its content in bytes."""

    pointer: AttachmentPointer
    length: int


class AttachmentFiles:
    """Safe for several threads."""

    def __init__(self, folder: Path, randomness: Randomness) -> None:
        """`folder` is made when it is needed."""
        self._folder = folder
        self._randomness = randomness

    def seal(self, source: Path) -> SealedFile:
        """Encrypts a file into the folder. Raises OSError."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        new = self._folder / f"{secrets.token_hex(8)}{_NEW}"
        with source.open("rb") as file, _writing(new) as sealed:
            length = os.fstat(file.fileno()).st_size
            writer = AttachmentWriter(length, self._randomness)
            try:
                while chunk := file.read(_CHUNK):
                    sealed.write(writer.write(chunk))
                sealed.write(writer.finish())
            except ValueError as error:
                raise FileChanged(f"{source.name} has changed meanwhile") from error
        pointer = writer.pointer()
        self._rename(new, self._path(pointer.digest))
        return SealedFile(pointer, length)

    def read(self, digest: bytes, start: int, size: int) -> bytes:
        """Returns bytes of a stored ciphertext. Raises OSError."""
        with self._path(digest).open("rb") as file:
            file.seek(start)
            return file.read(size)

    def stored(self, pointer: AttachmentPointer) -> bool:
        """Whether all of the ciphertext is here."""
        path = self._path(pointer.digest)
        return path.exists() and path.stat().st_size == pointer.size

    def received(self, pointer: AttachmentPointer) -> int:
        """How many bytes of a download are here."""
        try:
            return self._part(pointer.digest).stat().st_size
        except FileNotFoundError:
            return 0

    def receive(self, pointer: AttachmentPointer, data: bytes) -> None:
        """Appends to a download. Raises OSError."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._part(pointer.digest)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
            file.write(data)

    def accept(self, pointer: AttachmentPointer) -> None:
        """A download is complete: it is what its pointer says. Raises AttachmentRejected, and the download begins anew
        then; OSError."""
        part = self._part(pointer.digest)
        try:
            for _ in self._open(pointer, part):
                pass
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        with part.open("rb") as file:
            os.fsync(file.fileno())
        self._rename(part, self._path(pointer.digest))

    def save(self, pointer: AttachmentPointer, target: Path) -> None:
        """Decrypts a stored file, which was accepted, into a new one. Raises FileExistsError, AttachmentRejected,
        OSError; then there is none."""
        with _writing(target) as file:
            for chunk in self._open(pointer, self._path(pointer.digest)):
                file.write(chunk)

    def drop(self, pointer: AttachmentPointer) -> None:
        """Deletes what is here of a download."""
        self._part(pointer.digest).unlink(missing_ok=True)

    def tidy(self, digests: Collection[bytes]) -> None:
        """Deletes all files but those of these digests."""
        names = {digest.hex() for digest in digests}
        if self._folder.exists():
            for path in self._folder.iterdir():
                if path.name.removesuffix(_PART) not in names and path.suffix != _NEW:
                    path.unlink(missing_ok=True)

    def forget_unfinished(self) -> None:
        """Deletes what a process that was killed while it encrypted has left."""
        if self._folder.exists():
            for path in self._folder.glob(f"*{_NEW}"):
                path.unlink(missing_ok=True)

    def _open(self, pointer: AttachmentPointer, path: Path) -> Iterator[bytes]:
        reader = AttachmentReader(pointer)
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield reader.feed(chunk)
        yield reader.finish()

    def _path(self, digest: bytes) -> Path:
        return self._folder / digest.hex()

    def _part(self, digest: bytes) -> Path:
        return self._folder / f"{digest.hex()}{_PART}"

    def _rename(self, path: Path, new: Path) -> None:
        path.replace(new)
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _writing(path: Path) -> Iterator[IO[bytes]]:
    """A new file that only its owner can read, on disk afterwards or not there at all. Raises FileExistsError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
