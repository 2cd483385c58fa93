"""Presence settings over HTTP."""

from __future__ import annotations

from tests.support.environment import Environment


async def test_contacts_see_it_until_it_is_changed(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    assert (await ada.get("/presence/settings")).json() == {"audience": "contacts"}
    for audience in ("nobody", "everyone", "contacts", "nobody"):
        answer = await ada.put("/presence/settings", json={"audience": audience})
        assert (answer.status_code, answer.json()) == (200, {"audience": audience})
    assert (await ada.get("/presence/settings")).json() == {"audience": "nobody"}
    assert (await bob.get("/presence/settings")).json() == {"audience": "contacts"}


async def test_other_words_are_refused_by_name(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    for body in ({"audience": "some"}, {"audience": None}, {}, {"audience": "nobody", "list": 1}):
        answer = await ada.put("/presence/settings", json=body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] in ("audience", "list")
    assert (await ada.get("/presence/settings")).json() == {"audience": "contacts"}


async def test_nobody_s_settings_are_shown_to_the_anonymous(entativa: Environment) -> None:
    assert (await entativa.client.get("/presence/settings")).status_code == 401
    assert (await entativa.client.put("/presence/settings", json={"audience": "nobody"})).status_code == 401
