"""Coverage-guided fuzzing of all decoders in one process, by atheris.

`python -m tests.fuzz.coverage_guided CORPUS [libFuzzer options]`: fills the folder CORPUS with valid inputs and
fuzzes. The first two bytes of an input name the decoder, the rest is for it. Anything that is raised but a refusal
ends the process with a report and a non-zero status.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["crypto"]):
    from tests.fuzz.decoders import DECODERS

_TABLE = list(DECODERS.values())


def one_input(data: bytes) -> None:
    if len(data) < 2:
        return
    decoder = _TABLE[int.from_bytes(data[:2], "big") % len(_TABLE)]
    with contextlib.suppress(*decoder.refusals):
        decoder.decode(data[2:])


def fill(corpus: Path) -> None:
    for number, decoder in enumerate(_TABLE):
        for index, seed in enumerate(decoder.seeds):
            (corpus / f"{number}-{index}").write_bytes(number.to_bytes(2, "big") + seed)


if __name__ == "__main__":
    fill(Path(sys.argv[1]))
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
