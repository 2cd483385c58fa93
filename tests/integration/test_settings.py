"""Settings over HTTP, and what is sent to the sockets of their account."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator

from cluster.events.worker import drain_events
from features.realtime.errors import SessionsUnavailable
from features.settings.consumers import SettingsSync
from features.settings.service import SettingsService
from tests.support.environment import Environment
from tests.support.member import Member


async def _change(member: Member, version: int, **changes: Any) -> Any:
    return await member.patch("/settings", json={"version": version, "changes": changes})


async def test_what_is_changed_on_one_device_is_seen_on_the_other(entativa: Environment) -> None:
    phone, bob = await entativa.member("ada"), await entativa.member("bob")
    laptop = await entativa.log_in("ada")
    before = (await laptop.get("/settings")).json()
    assert before["version"] == 0
    assert before["settings"]["presence"] == {"audience": "contacts"}
    answer = await _change(phone, 0, presence={"audience": "nobody"}, accessibility={"text_scale_percent": 150})
    assert answer.status_code == 200
    seen = (await laptop.get("/settings")).json()
    assert seen == answer.json()
    assert seen["version"] == 1
    assert seen["settings"]["presence"] == {"audience": "nobody"}
    assert seen["settings"]["accessibility"] == {**before["settings"]["accessibility"], "text_scale_percent": 150}
    assert (await bob.get("/settings")).json() == before


async def test_a_stale_change_gets_the_present_settings_and_changes_nothing(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    present = (await _change(ada, 0, data={"autoplay": "never"})).json()
    for version in (0, 2, 2**53):
        stale = await _change(ada, version, data={"autoplay": "always"})
        assert stale.status_code == 409
        assert stale.json()["code"] == "stale_settings"
        assert stale.json()["errors"][0]["field"] == "version"
        assert stale.json()["current"] == present == (await ada.get("/settings")).json()


@pytest.mark.parametrize("version", [0, 1])
async def test_of_changes_at_once_one_succeeds(entativa: Environment, version: int) -> None:
    ada = await entativa.member("ada")
    if version:
        await _change(ada, 0, data={"autoplay": "never"})
    answers = await asyncio.gather(
        *(_change(ada, version, accessibility={"text_scale_percent": 60 + n}) for n in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 7]
    (winner,) = (answer.json() for answer in answers if answer.status_code == 200)
    assert all(answer.json()["current"] == winner for answer in answers if answer.status_code == 409)
    assert (await ada.get("/settings")).json() == winner


async def test_a_change_that_changes_nothing_makes_no_version(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    assert (await _change(ada, 0)).json()["version"] == 0
    assert (await _change(ada, 0, data={"autoplay": None}, language=None)).json()["version"] == 0
    assert (await _change(ada, 0, data={"autoplay": "never"})).json()["version"] == 1
    assert (await _change(ada, 1, data={"autoplay": "never"})).json()["version"] == 1


async def test_bad_changes_are_refused_by_name_and_change_nothing(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    present = (await _change(ada, 0, data={"autoplay": "never"})).json()
    bad: list[tuple[dict[str, Any], str]] = [
        ({"data": {"autoplay": "some"}, "presence": {"audience": "nobody"}}, "changes.data.autoplay"),
        ({"presence": {"audience": "nobody"}, "smell": {}}, "changes.smell"),
        ({"presence": {"audience": {"list": []}}}, "changes.presence.audience"),
        ({"accessibility": {"text_scale_percent": 10**30}}, "changes.accessibility.text_scale_percent"),
        ({"language": {"content": ["\x00"]}}, "changes.language.content.0"),
    ]
    for changes, field in bad:
        answer = await _change(ada, 1, **changes)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    bodies: list[Any] = [{"changes": {}}, {"version": -1, "changes": {}}, {"version": 1, "changes": []}, {"version": 1}]
    for body in bodies:
        assert (await ada.patch("/settings", json=body)).status_code == 422
    name = b'{"version": 1, "changes": {"\\ud800": {}}}'
    answer = await ada.patch("/settings", content=name, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert (await ada.get("/settings")).json() == present


async def test_nobody_else_reads_or_changes_them(entativa: Environment) -> None:
    assert (await entativa.client.get("/settings")).status_code == 401
    assert (await entativa.client.patch("/settings", json={"version": 0, "changes": {}})).status_code == 401


async def test_the_published_schema_describes_them(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    schema = (await entativa.client.get("/settings/schema")).json()
    Draft202012Validator(schema).validate((await ada.get("/settings")).json()["settings"])


async def test_reading_takes_one_statement(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    await ada.get("/settings")
    assert entativa.statements(await ada.get("/settings")) == 1
    assert entativa.statements(await ada.get("/settings/schema")) == 0


class Sockets:
    """Keeps what is pushed; drops a repetition, as live sessions do. Can be out of reach."""

    def __init__(self) -> None:
        self.pushed: dict[str, tuple[UUID, str, Mapping[str, Any]]] = {}
        self.reachable = True

    async def push(self, user_id: UUID, kind: str, payload: Mapping[str, Any], *, key: str = "") -> None:
        if not self.reachable:
            raise SessionsUnavailable
        self.pushed.setdefault(key, (user_id, kind, payload))


@pytest.fixture
async def sockets(entativa: Environment) -> AsyncIterator[Sockets]:
    """Connected to the reaction of a gateway."""
    sockets, platform = Sockets(), entativa.platform
    sync = SettingsSync(platform.service(SettingsService), sockets, platform.database)  # type: ignore[arg-type]
    platform.database.reactions.append(sync.after_commit)
    yield sockets
    platform.database.reactions.remove(sync.after_commit)


async def test_a_change_is_sent_before_its_response(entativa: Environment, sockets: Sockets) -> None:
    ada = await entativa.member("ada")
    answer = (await _change(ada, 0, presence={"audience": "everyone"})).json()
    assert list(sockets.pushed.values()) == [(UUID(ada.id), "settings", answer)]
    assert (await _change(ada, 0, presence={"audience": "nobody"})).status_code == 409
    assert len(sockets.pushed) == 1


async def test_what_could_not_be_sent_is_sent_by_the_consumer(entativa: Environment, sockets: Sockets) -> None:
    ada = await entativa.member("ada")
    sockets.reachable = False
    answer = await _change(ada, 0, presence={"audience": "everyone"})
    assert (answer.status_code, sockets.pushed) == (200, {})
    sockets.reachable = True
    sync = SettingsSync(entativa.platform.service(SettingsService), sockets, entativa.platform.database)  # type: ignore[arg-type]
    await drain_events(sync.consumers(), entativa.platform.database, entativa.event_log)
    assert list(sockets.pushed.values()) == [(UUID(ada.id), "settings", answer.json())]
