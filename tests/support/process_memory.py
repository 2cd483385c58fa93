"""The memory of other processes, as Linux shows it under /proc."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy

_PAGE = os.sysconf("SC_PAGE_SIZE")
_BLOCK = 64 << 20
_MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (r)(.)\S* \S+ \S+ (\d+)", re.MULTILINE)


def memory_of(pid: int, overlap: int) -> Iterator[bytes]:
    """Yields what a process has in memory, in blocks that overlap by so many bytes. Only pages that are there are read:
    reading others would make them. Left out are files that are mapped for reading only (programs, libraries), and what
    cannot be read. A process that ends has none. Raises PermissionError."""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text()
        with open(f"/proc/{pid}/pagemap", "rb", 0) as pagemap, open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for first, last in _runs(maps, pagemap.fileno()):
                for start in range(first, last, _BLOCK):
                    try:
                        yield os.pread(memory.fileno(), min(last - start, _BLOCK + overlap), start)
                    except OSError:  # it was given back meanwhile, or is the kernel's
                        continue
    except (FileNotFoundError, ProcessLookupError):
        return


def _runs(maps: str, pagemap: int) -> Iterator[tuple[int, int]]:
    """Yields the first and the last address of pages in a row that are there."""
    for found in _MAPPING.finditer(maps):
        begin, end, writable, inode = int(found[1], 16), int(found[2], 16), found[4] == "w", int(found[5])
        if end >= 1 << 63 or (inode and not writable):
            continue
        # Bit 63: it is in memory, 62: it was swapped out (Documentation/admin-guide/mm/pagemap.rst).
        entries = numpy.frombuffer(os.pread(pagemap, (end - begin) // _PAGE * 8, begin // _PAGE * 8), "<u8")
        there = numpy.concatenate(([0], (entries >> numpy.uint64(62) != 0).view("i1"), [0]))
        edges = numpy.flatnonzero(numpy.diff(there))
        for first, last in edges.reshape(-1, 2).tolist():
            yield begin + first * _PAGE, begin + last * _PAGE
