"""Who types in a group: told to the sockets of the other members' devices, and to nobody else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from client.realtime import JSON, RequestRefused, Signal
from features.groups.policy import GroupsPolicy
from tests.integration.groups.conftest import Groups
from tests.support.listener import Listener, listening


@pytest.fixture
def group_policy() -> GroupsPolicy:
    return GroupsPolicy(typing_pause=timedelta(hours=1))


async def test_typing_is_told_to_the_other_members_and_is_not_kept(opened: Groups) -> None:
    id, (ada, bob, cara) = await opened.group_of("ada", "bob", "cara")
    [eve] = await opened.people("eve")
    browser = await opened.environment.log_in("ada")
    async with (
        listening(opened.host, ada.member) as on_ada,
        listening(opened.host, bob.member, JSON) as on_bob,
        listening(opened.host, cara.member) as on_cara,
        listening(opened.host, eve.member) as on_eve,
        listening(opened.host, browser) as on_browser,
    ):
        for listener in (on_ada, on_eve, on_browser):
            listener.follow_responses()

        async def problem(listener: Listener, data: dict[str, Any]) -> tuple[str, str | None]:
            with pytest.raises(RequestRefused) as error:
                await listener.client.request("group_typing", data)
            return error.value.code, error.value.problem.get("field")

        typing = {"conversation_id": id}
        for _ in range(3):  # the second and third come too soon
            assert await on_ada.client.request("group_typing", typing) == {}
        assert await problem(on_eve, typing) == ("no_such_group", None)
        assert await problem(on_browser, typing) == ("device_not_in_group", None)
        assert await problem(on_ada, {"conversation_id": str(uuid4())}) == ("no_such_group", None)
        assert await problem(on_ada, {"conversation_id": 1}) == ("invalid_input", "conversation_id")
        assert (await ada.send(id, b"Hello")).is_success
        for listener in (on_bob, on_cara):
            assert await listener.signal() == Signal("typing", {**typing, "account_id": ada.member.id})
            assert (await listener.signal()).kind == "message"
        assert [len(await device.inbox()) for device in (bob, cara)] == [1, 1]
        assert on_ada.reading is not None
        assert not on_ada.reading.done(), "nothing is signalled to who types"
