"""The host's end of the fallback: a CALLS frame that came as one Ray call goes back as one ANSWERS frame.

A stream returns each answer when there is one; a Ray call returns once. So it does not wait for the slowest of its
calls: what is not answered soon is told to be RUNNING, and the router asks for it again, under the same number.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.transport.frames import NOT_MINE, RUNNING, answers_frame, pack_answer, unpack_answer

GATHER_SECONDS = 0.05
"""How long the first answer of a batch waits for the others."""
PATIENCE_SECONDS = 0.25
"""How long a batch is without any. A router has few under way at a time, so those that hang are not to keep it."""


class BatchOrigin:
    """Collects the answers to a batch."""

    def __init__(self, expected: int) -> None:
        self.answers: list[bytes] = []
        self.complete = asyncio.Event()
        self._expected = expected

    def answer(self, packed: bytes) -> None:
        """See answers.Origin."""
        self.answers.append(packed)
        if len(self.answers) >= self._expected:
            self.complete.set()
        elif len(self.answers) == 1:
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self.complete.set)


async def answer_batch(mailboxes: Mailboxes, caller: bytes, items: list[Any]) -> bytes:
    """Delivers the calls of a CALLS frame: the ANSWERS frame, with an answer to each. Raises BadFrame."""
    batch = BatchOrigin(len(items) - 2)
    mailboxes.deliver(batch, caller, items)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await batch.complete.wait()
    answers = batch.answers
    if len(answers) < len(items) - 2:
        answered = {unpack_answer(packed)[0] for packed in answers}
        known, _ = mailboxes.answers.of(caller, items[1], time.monotonic())
        for call, *_ in items[2:]:
            if call not in answered:
                if entry := known.get(call):
                    entry.leave(batch)
                answers.append(pack_answer(call, NOT_MINE, RUNNING))
    return answers_frame(answers)
