"""Stories with counters in memory."""

from __future__ import annotations

import pytest

from tests.integration.feeds.conftest import set_patience
from tests.integration.test_stories import test_reactions_are_for_the_author
from tests.support.environment import Environment
from tests.support.timeline_host import HOSTS

__all__ = ["test_reactions_are_for_the_author"]


async def test_without_a_host_no_reaction_is_stored(entativa: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor that the story was seen: the client says both again."""
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    path = f"/stories/{(await ada.post('/stories', json={'text': 'Good morning'})).json()['id']}"
    assert (await bob.put(f"{path}/reaction", json={"kind": "love"})).status_code == 204
    HOSTS[id(entativa)].stop()
    set_patience(monkeypatch, 0.5)
    for refused in (await bob.put(f"{path}/reaction", json={"kind": "wow"}), await bob.delete(f"{path}/reaction")):
        assert (refused.status_code, refused.json()["code"]) == (503, "reaction_not_stored")
    assert (await bob.get(path)).json()["own_reaction"] == "love"
    assert (await ada.get(path)).json()["viewers"] == 1
