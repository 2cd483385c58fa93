"""What the terminal client says about files."""

from pathlib import Path

from client.messaging import FileProgress
from client.messaging.contents import Attachment
from client.terminal.printable import printable


def suggested_path(name: str) -> str:
    """Where a file is saved unless the user says otherwise. `name` is its author's: no part of it leads elsewhere."""
    safe = "".join(each if each.isprintable() and each not in '/\\:*?"<>|' else "_" for each in name).strip(". ")
    folder = "~/Downloads" if Path("~/Downloads").expanduser().is_dir() else "~"
    return f"{folder}/{safe or 'file'}"


def label(attachment: Attachment) -> str:
    """Name and size of a file."""
    return f"📎 {printable(attachment.name).replace(chr(10), ' ')} ({amount(attachment.length)})"


def progress(change: FileProgress) -> str:
    """How much of a file has been moved."""
    what = "sending" if change.sending else "loading"
    return f"{what} {printable(change.name)[:40]}: {100 * change.done // change.size} %"


def amount(size: int) -> str:
    """A number of bytes in a larger unit."""
    for unit, length in (("GB", 10**9), ("MB", 10**6), ("kB", 1_000)):
        if size >= length:
            return f"{size / length:.1f} {unit}"
    return f"{size} bytes"
