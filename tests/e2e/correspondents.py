"""Devices that write to each other and to a group without a pause, whatever happens to the platform, and note what they
see. What they write is not encrypted between two people; groups are real ones."""

from __future__ import annotations

import asyncio
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from client.realtime import RealtimeClient, Signal, Ticket
from tests.e2e.people import Device, People
from tests.e2e.running import RunningPlatform
from tests.support.devices import link_device, publish_prekeys, text
from tests.support.group_devices import GroupDevice, acquaint, change_body, group_device
from tests.support.member import Member
from tests.support.message_history import Acknowledged, Done, Epoch, History, Received

BRAND = "entativa"
_PAUSE_S = 0.1
_AGAIN = (429, 502, 503, 504)
_LAST_S = 180.0
"""For what is under way at the end, and to read what is left."""
_COMMITS = 4
"""Of so many changes and messages to the group, one is a commit."""


class RetryingMember(Member):
    """Repeats what nobody has answered, as it is, until somebody does."""

    answered = "nothing"
    """What its newest request was: a status code and the problem's code, or how it failed."""

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        while True:
            try:
                answer = await Member.request(self, method, path, **options)
                self.answered = f"{answer.status_code} {_code(answer)}".rstrip()
                if answer.status_code == 401:
                    await self._refresh()
                elif answer.status_code not in _AGAIN:
                    return answer
            except httpx.HTTPError as error:
                self.answered = type(error).__name__
            await asyncio.sleep(_PAUSE_S)

    async def _refresh(self) -> None:
        body = {"refresh_token": self.tokens["refresh_token"]}
        answer = await self.client.post("/auth/refresh", json=body)
        assert answer.status_code in (200, *_AGAIN), answer.text
        if answer.status_code == 200:
            self.tokens = answer.json()
            self.headers["Authorization"] = f"Bearer {self.tokens['access_token']}"


def _code(answer: httpx.Response) -> str:
    """The code of the problem that an answer is, or nothing."""
    problem = answer.headers.get("content-type", "").startswith("application/problem+json")
    return str(answer.json().get("code", "")) if problem else ""


@dataclass(slots=True)
class Correspondent:
    """A device with its inbox. `to`: the other devices of its conversation, by account and number. `group`: empty for a
    device that is in none."""

    name: str
    member: RetryingMember
    history: History
    device: GroupDevice | None = None
    conversation: str = ""
    to: list[tuple[str, int]] = field(default_factory=list)
    group: str = ""
    seen: set[tuple[str, int]] = field(default_factory=set)
    turns: int = 0

    async def live(self, stopping: asyncio.Event) -> None:
        """Reads and writes, in turns."""
        while not stopping.is_set():
            await self.read()
            if self.device is None:
                await asyncio.sleep(_PAUSE_S)
                continue
            await self._write()
            if self.turns % _COMMITS == 0:
                await self._commit(self.device)
            else:
                await self._say(self.device)
            self.turns += 1

    async def read(self) -> bool:
        """Takes what is in the inbox, and acknowledges it. Returns whether there was anything."""
        answer = await self.member.get("/messaging/inbox")
        assert answer.status_code == 200, answer.text
        items = answer.json()["items"]
        for item in items:
            await self._take(item)
        newest = {item["conversation_id"]: item["seq"] for item in items}
        if newest:
            body = {"items": [{"conversation_id": id, "seq": seq} for id, seq in newest.items()]}
            answer = await self.member.post("/messaging/acknowledgements", json=body)
            assert answer.status_code == 204, answer.text
            self.history.inboxes[self.name] += [Done(place) for place in newest.items()]
        return bool(items)

    async def listen(self) -> None:
        """Notes what comes over the socket, until it is cancelled."""
        async with RealtimeClient(self._ticket) as realtime:
            async for received in realtime:
                match received:
                    case Signal("message", {"conversation_id": id, "seq": seq, "client_id": client_id}):
                        self.history.signalled[self.name].append(Received(client_id, (id, seq)))

    async def _ticket(self) -> Ticket:
        answer = await self.member.post("/realtime/ticket")
        assert answer.status_code == 201, answer.text
        return Ticket(answer.json()["ticket"], answer.json()["url"])

    async def _take(self, item: dict[str, Any]) -> None:
        place = (item["conversation_id"], item["seq"])
        content = item["client_id"]
        if item["content"] in (None, "application") and place not in self.seen:
            content = (await self._open(item)).decode()
            assert content == item["client_id"], f"{place} has the content of another message"
        elif place not in self.seen:
            await self._open(item)
            self._note_epoch(item["conversation_id"])
        self.seen.add(place)
        self.history.inboxes[self.name].append(Received(content, place))

    async def _open(self, item: dict[str, Any]) -> bytes:
        if item["kind"] == "pair":
            return b64decode(item["envelope"])
        assert self.device is not None
        return await self.device.process(item) or b""

    async def _write(self) -> None:
        id = str(uuid4())
        payloads = [
            {"account_id": account, "device": number, "envelope": text(id.encode())} for account, number in self.to
        ]
        body = {"client_id": id, "payloads": payloads}
        answer = await self.member.post(f"/conversations/{self.conversation}/messages", json=body)
        assert answer.status_code == 200, answer.text
        self.history.sent.append(Acknowledged(self.name, id, (self.conversation, answer.json()["seq"])))

    async def _say(self, device: GroupDevice) -> None:
        id = str(uuid4())
        while (answer := await device.send(self.group, id.encode(), id)).status_code == 409:
            await self._catch_up(answer)
        assert answer.status_code == 200, answer.text
        self.history.sent.append(Acknowledged(self.name, id, (self.group, answer.json()["seq"])))

    async def _commit(self, device: GroupDevice) -> None:
        id, bundle = str(uuid4()), device.commit(self.group)
        answer = await self.member.post("/group-changes", json=change_body(bundle, id))
        if answer.status_code == 409:
            await self._catch_up(answer)
            return
        assert answer.status_code == 200, answer.text
        device.groups[self.group].apply(bundle)
        epoch = device.groups[self.group].epoch
        self.history.sent.append(Acknowledged(self.name, id, (self.group, answer.json()["seq"]), epoch))
        self._note_epoch(self.group)

    async def _catch_up(self, answer: httpx.Response) -> None:
        """Another member's commit was earlier."""
        assert answer.json()["code"] == "epoch_outdated", answer.text
        await self.read()

    def _note_epoch(self, group_id: str) -> None:
        assert self.device is not None
        group = self.device.groups[group_id]
        self.history.epochs.append(Epoch(self.name, group_id, group.epoch, group.epoch_authenticator))


@dataclass(slots=True)
class Correspondence:
    """Two pairs of people, all four in a group, one of them with two devices."""

    history: History
    devices: list[Correspondent]
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Meanwhile everybody writes and reads. Afterwards everybody has read all there is."""
        stopping = asyncio.Event()
        living = [asyncio.create_task(each.live(stopping)) for each in self.devices]
        self.tasks = [*living, *(asyncio.create_task(each.listen()) for each in self.devices)]
        try:
            yield
            stopping.set()
            async with asyncio.timeout(_LAST_S):
                await asyncio.gather(*living)
                while any([await each.read() for each in self.devices]):
                    pass
            self.raise_ended()
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)

    async def goes_on(self) -> None:
        """Waits until somebody has been answered from now on. Raises what has ended a device."""
        known = len(self.history.sent)
        while len(self.history.sent) == known:
            await asyncio.sleep(0.02)
            self.raise_ended()

    def answered(self) -> str:
        """What each device was answered last."""
        return ", ".join(f"{each.name.partition('_')[0]}: {each.member.answered}" for each in self.devices)

    def raise_ended(self) -> None:
        """Raises what has ended a device."""
        for task in self.tasks:
            if task.done():
                task.result()


@asynccontextmanager
async def correspondence(platform: RunningPlatform) -> AsyncIterator[Correspondence]:
    """People who have signed up and made friends, and have not written yet."""
    with httpx.Client(base_url=platform.api(BRAND), timeout=60) as client:
        people = People(platform, client)
        devices = [people.sign_up(name) for name in ("ada", "bob", "cara", "dora")]
        for one, other in (devices[:2], devices[2:]):
            people.connect(one, other)
        devices.append(people.log_in(devices[0].username))
    async with httpx.AsyncClient(base_url=platform.api(BRAND), timeout=15) as client:
        yield await introduce([_member(client, device) for device in devices])


def _member(client: httpx.AsyncClient, device: Device) -> RetryingMember:
    headers = {"Authorization": f"Bearer {device.tokens['access_token']}"}
    return RetryingMember(client, device.username, device.tokens["account_id"], headers=headers, tokens=device.tokens)


async def introduce(members: Sequence[RetryingMember]) -> Correspondence:
    """Registers the devices of two pairs of friends, and another one of the first account (the last member), and founds
    a group of the four."""
    history, now = History(), int(time.time())
    made = [await group_device(member, now) for member in members[:4]]
    second = await link_device(made[0].device, members[4])
    await publish_prekeys(second, 1, now)
    acquaint(made)
    group = await made[0].found()
    await made[0].add(group, *made[1:])
    for each in made:
        await each.read()
    history.recipients[group] = {each.member.username for each in made}
    people = [
        Correspondent(member.username, member, history, each, group=group)
        for member, each in zip(members[:4], made, strict=True)
    ]
    tablet = Correspondent("tablet", members[4], history)
    await _open(people[0], people[1], tablet)
    await _open(people[2], people[3])
    return Correspondence(history, [*people, tablet])


async def _open(one: Correspondent, other: Correspondent, *further: Correspondent) -> None:
    """Opens the conversation of two people, the first of whom has further devices."""
    answer = await one.member.post("/conversations", json={"account_id": other.member.id})
    assert answer.status_code in (200, 201), answer.text
    one.conversation = other.conversation = answer.json()["id"]
    own = [(one.member.id, 2 + place) for place, _ in enumerate(further)]
    one.to = [(other.member.id, 1), *own]
    other.to = [(one.member.id, 1), *own]
    one.history.recipients[one.conversation] = {each.name for each in (one, other, *further)}
