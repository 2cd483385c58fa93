"""A batch of posts is delivered with one statement, and reaches every reader."""

from __future__ import annotations

import pytest

from cluster.events.event import Event
from deployments.platform import brand_consumers
from features.feed import consumers
from tests.support.environment import Environment
from tests.support.member import Member


async def _texts(reader: Member) -> list[str]:
    await reader.get("/feed")  # renders what no reader has read yet
    answer = await reader.get("/feed")
    assert answer.headers["Server-Timing"] == 'sql;desc="0"', "it comes from memory"
    return [post["text"] for post in answer.json()["items"]]


@pytest.mark.parametrize("first_readers", [consumers._FIRST_READERS, 2])
async def test_a_batch_takes_one_statement(
    vignette: Environment, monkeypatch: pytest.MonkeyPatch, first_readers: int
) -> None:
    monkeypatch.setattr(consumers, "_FIRST_READERS", first_readers)
    author = await vignette.member("author")
    readers = [await vignette.member(f"reader{number}") for number in range(3)]
    for reader in readers:
        assert (await reader.put("/follows/author")).is_success
    await vignette.drain()
    for reader in readers:
        await reader.get("/feed")  # its timeline is loaded
    published: list[Event] = []

    async def note(events: object) -> None:
        assert isinstance(events, list)
        published.extend(events)

    vignette.platform.database.reactions.append(note)
    for number in range(5):
        assert (await author.post("/posts", json={"text": f"{number}"})).status_code == 201

    [fan_out] = [one for one in brand_consumers(vignette.platform) if one.name == "feeds.fanout"]
    async with vignette.platform.database.unit_of_work() as uow:
        await fan_out.handle(uow, published)
        # An author with more readers than are read with each post has a statement for the others of each.
        assert uow.statements == (1 if first_readers > len(readers) else 1 + len(published))
        await uow.commit()

    vignette.client.event_hooks["request"].clear()  # no other delivery
    for reader in readers:
        assert sorted(await _texts(reader)) == [f"{number}" for number in range(5)]
