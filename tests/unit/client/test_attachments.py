"""Files of messages: sent with their message or not at all, whatever happens; and read only as they were sent."""

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from client.api import Connection, NoResponse, Tokens
from client.attachments import AttachmentFiles, Transfers, Upload
from client.conversations import Conversations, Message
from client.messaging import Change, Device, FileNotSent, FileProgress, Messenger, attachment_rows
from client.messaging.body import MAX_ATTACHMENTS, BadBody, Body
from client.messaging.contents import Attachment, Deletion, Resend, Text
from client.storage import Database
from client.writing import Writing
from crypto.attachments import AttachmentPointer, AttachmentRejected
from tests.unit.client.test_messaging import ADA, BOB, CONVERSATION, RANDOM, Pair

PART = 100_000


class FileServer:
    """Attachments as the platform has them (docs/messaging.md). `fail` is asked before and after each request whether
    the connection breaks."""

    def __init__(self) -> None:
        self.sizes: dict[UUID, int] = {}
        self.stored: dict[UUID, bytes] = {}
        self.asked: list[str] = []
        self.refuse: tuple[int, str] | None = None
        self.fail: Callable[[], bool] = lambda: False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/auth/refresh"):
            tokens = {"refresh_token": "r", "access_token": "a", "expires_in": 900}
            return httpx.Response(200, json={"account_id": ADA, "session_id": ADA, **tokens})
        if self.fail():
            raise httpx.ConnectError("away")
        self.asked.append(f"{request.method} {request.headers.get('range', '')}".strip())
        response = self._answer(request)
        if self.fail():
            raise httpx.ReadError("away")
        return response

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.refuse is not None:
            return httpx.Response(self.refuse[0], json={"code": self.refuse[1]})
        _, _, path = request.url.path.partition("/attachments")
        if not path:
            attachment_id = uuid4()
            self.sizes[attachment_id], self.stored[attachment_id] = json.loads(request.content)["size"], b""
            return httpx.Response(201, json={"id": str(attachment_id), "part_size": PART})
        attachment_id, rest = UUID(path[1:37]), path[37:]
        if attachment_id not in self.stored:
            return httpx.Response(404, json={"code": "no_such_attachment"})
        if request.method == "DELETE":
            del self.stored[attachment_id]
            return httpx.Response(204)
        stored = self.stored[attachment_id]
        if request.method == "PUT":
            start = int(rest.removeprefix("/parts/")) * PART
            if start > len(stored):
                current = {"received": len(stored)}
                return httpx.Response(409, json={"code": "attachment_part_out_of_order", "current": current})
            if start == len(stored):
                self.stored[attachment_id] += request.content
            return httpx.Response(200, json={})
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers["range"])
        assert found is not None
        if int(found[1]) >= len(stored):
            return httpx.Response(416, json={"code": "range_not_satisfiable"})
        return httpx.Response(206, content=stored[int(found[1]) : int(found[2]) + 1])


class Side:
    """One of the two people, with the files of an account."""

    def __init__(self, pair: Pair, messenger: Messenger, database: Database, server: FileServer) -> None:
        self.pair, self.messenger, self.database, self.server = pair, messenger, database, server
        self.told: list[Change] = []
        self.conversations = Conversations(database, Device(database, RANDOM))
        self.folder = database.path.with_suffix(".files")
        self.restart()

    def restart(self) -> None:
        transport = httpx.MockTransport(self.server)
        connection = Connection("http://t/b", Tokens(ADA, ADA, "r"), transport=transport)
        files = AttachmentFiles(self.folder, RANDOM)
        self.transfers = Transfers(self.database, connection, files, self._send, self.told.append)

    def _send(self, upload: Upload, together_with: Callable[[], None]) -> None:
        self.writing.write_upload(upload, together_with)

    @property
    def writing(self) -> Writing:
        return Writing(self.messenger, self.conversations, lambda: self.pair.server.now)

    async def work(self) -> None:
        """Moves files until there is nothing to do, and then messages."""
        while await self.transfers.step():
            pass
        self.exchange()

    def exchange(self) -> None:
        self.messenger.connected()
        self.pair.run(self.messenger)

    @property
    def messages(self) -> list[Message]:
        return self.conversations.messages(CONVERSATION)

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.exists() else []


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    pair, server = Pair(tmp_path), FileServer()
    yield Side(pair, pair.ada, pair.databases[0], server), Side(pair, pair.bob, pair.databases[1], server)
    for database in pair.databases:
        database.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "plan.pdf"
    path.write_bytes(os.urandom(3 * PART))
    return path


async def sent(ada: Side, bob: Side, source: Path, text: str | None = None) -> Message:
    """Ada sends a file. Returns Bob's message."""
    await ada.transfers.add(CONVERSATION, source, text)
    await ada.work()
    bob.exchange()
    return bob.messages[-1]


async def test_a_file_comes_as_it_was_sent(sides: tuple[Side, Side], source: Path, tmp_path: Path) -> None:
    ada, bob = sides
    message = await sent(ada, bob, source, "Have a look")
    (attachment,) = message.attachments
    assert (message.text, attachment.name, attachment.media_type) == ("Have a look", "plan.pdf", "application/pdf")
    assert (attachment.length, ada.messages[-1].attachments) == (3 * PART, message.attachments)
    progress = [each for each in ada.told if isinstance(each, FileProgress)]
    assert [each.done for each in progress] == [*range(PART, attachment.pointer.size, PART), attachment.pointer.size]
    for side in sides:
        target = tmp_path / f"{side.messenger.address.user}.pdf"
        await side.transfers.save(attachment, target)
        assert target.read_bytes() == source.read_bytes()
        with pytest.raises(FileExistsError):
            await side.transfers.save(attachment, target)
        assert target.read_bytes() == source.read_bytes()
    assert len([each for each in ada.server.asked if each.startswith("GET")]) == 1  # Bob's: Ada has it
    for side in sides:  # what is stored is noise
        assert [source.read_bytes()[:100] in (side.folder / name).read_bytes() for name in side.files] == [False]
    assert source.read_bytes()[:100] not in b"".join(ada.server.stored.values())


@pytest.mark.parametrize("breaks_at", range(10))  # of five requests, before and after each
async def test_a_message_has_its_file_wherever_the_process_ends(
    sides: tuple[Side, Side], source: Path, tmp_path: Path, breaks_at: int
) -> None:
    ada, bob = sides
    await ada.transfers.add(CONVERSATION, source, None)
    moments = iter(range(1_000))
    ada.server.fail = lambda: next(moments) == breaks_at
    with pytest.raises(NoResponse):
        await ada.work()
    assert ada.messages == []
    ada.restart()
    await ada.work()
    bob.exchange()
    (message,) = bob.messages
    assert [each.attachments for each in ada.messages] == [message.attachments]
    await bob.transfers.save(message.attachments[0], tmp_path / "saved")
    assert (tmp_path / "saved").read_bytes() == source.read_bytes()


async def test_an_upload_that_the_server_has_lost_begins_anew(sides: tuple[Side, Side], source: Path) -> None:
    ada, bob = sides
    await ada.transfers.add(CONVERSATION, source, None)
    for _ in range(3):
        await ada.transfers.step()
    assert ada.messages == []
    ada.server.stored.clear()
    await ada.work()
    bob.exchange()
    assert bob.messages[0].attachments[0].id in {each.hex for each in ada.server.stored}


async def test_a_file_that_is_refused_takes_its_message_with_it(sides: tuple[Side, Side], source: Path) -> None:
    ada, _ = sides
    ada.server.refuse = 409, "attachments_full"
    await ada.transfers.add(CONVERSATION, source, "text")
    await ada.work()
    assert (ada.told, ada.messages, ada.files) == ([FileNotSent("plan.pdf", "attachments_full")], [], [])
    ada.server.refuse = None
    await ada.transfers.add(CONVERSATION, source, "text")
    (ada.folder / ada.files[0]).unlink()
    await ada.work()
    assert (ada.told[1:], ada.messages) == ([FileNotSent("plan.pdf", "file_unreadable")], [])
    with pytest.raises(ValueError, match="no such file"):
        await ada.transfers.add(CONVERSATION, source.with_name("none"), None)


async def test_a_download_goes_on_where_it_was_and_shows_nothing_that_was_altered(
    sides: tuple[Side, Side], tmp_path: Path
) -> None:
    ada, bob = sides
    source = tmp_path / "long"
    source.write_bytes(os.urandom(5 << 19))
    (attachment,) = (await sent(ada, bob, source)).attachments
    (stored,), target = ada.server.stored, tmp_path / "saved"
    original = ada.server.stored[stored]
    ada.server.stored[stored] = original[:-20] + bytes(20)
    moments = iter(range(100))
    ada.server.asked.clear()
    ada.server.fail = lambda: next(moments) == 2
    with pytest.raises(NoResponse):
        await bob.transfers.save(attachment, target)
    bob.restart()
    with pytest.raises(AttachmentRejected):
        await bob.transfers.save(attachment, target)
    assert ada.server.asked[:2] == ["GET bytes=0-1048575", "GET bytes=1048576-2097151"]
    assert (target.exists(), bob.files) == (False, [])
    for altered in (original[:-1], b""):
        ada.server.stored[stored] = altered
        with pytest.raises(AttachmentRejected):
            await bob.transfers.save(attachment, target)
    ada.server.stored[stored] = original
    wrong = AttachmentPointer(bytes(32), attachment.pointer.size, attachment.pointer.digest)
    with pytest.raises(AttachmentRejected):  # of another key
        await bob.transfers.save(replace(attachment, pointer=wrong), target)
    await bob.transfers.save(attachment, target)
    assert target.read_bytes() == source.read_bytes()


async def test_a_file_goes_with_its_message(sides: tuple[Side, Side], source: Path, tmp_path: Path) -> None:
    ada, bob = sides
    message = await sent(ada, bob, source)
    await bob.transfers.save(message.attachments[0], tmp_path / "saved")
    await bob.work()
    assert len(bob.files) == len(ada.files) == 1
    ada.messenger.send(CONVERSATION, Deletion(message.id), ada.pair.server.now)
    assert ada.messages[0].attachments == ()  # at once
    ada.exchange()
    bob.exchange()
    await ada.work()
    await bob.work()
    assert (ada.files, bob.files, ada.server.stored) == ([], [], {})
    assert bob.messages[0].deleted

    ada.writing.set_timer(CONVERSATION, 60)
    message = await sent(ada, bob, source)
    await bob.transfers.save(message.attachments[0], tmp_path / "again")
    bob.messenger.read(CONVERSATION, bob.pair.server.now)
    ada.pair.server.now += 60_000
    for side in sides:
        await side.work()  # the message disappears
        await side.work()
    assert (ada.files, bob.files, len(ada.messages)) == ([], [], 1)


async def test_a_message_that_is_sent_again_has_its_file(sides: tuple[Side, Side], source: Path) -> None:
    ada, bob = sides
    message = await sent(ada, bob, source)
    ((seq,),) = ada.database.rows("select seq from messages")
    with ada.database.transaction():
        found = ada.messenger._repair.asked(CONVERSATION, Resend(ADA, 1, seq), ada.pair.server.now)
    assert found is not None
    assert found[1].attachments == message.attachments
    assert attachment_rows.digests(bob.database) == {message.attachments[0].pointer.digest}


def attachment(**changes: object) -> Attachment:
    made = Attachment("1" * 32, AttachmentPointer(bytes(32), 600, bytes(32)), "a name", "text/plain", 5)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_body_says_what_its_files_are() -> None:
    body = Body("2" * 32, BOB, Text("look", attachments=(attachment(), attachment(length=0))))
    assert Body.decode(body.encode()) == body
    for wrong in (
        {"id": "short"},
        {"name": ""},
        {"name": "x" * 256},
        {"media_type": "x" * 128},
        {"length": -1},
    ):
        with pytest.raises(ValueError, match=r"id|name|number"):
            Body("2" * 32, BOB, Text("look", attachments=(attachment(**wrong),)))
    with pytest.raises(ValueError, match="at most"):
        Body("2" * 32, BOB, Text("look", attachments=(attachment(),) * (MAX_ATTACHMENTS + 1)))
    members = json.loads(body.encode())
    whole = members["attachments"][0]
    damages: tuple[object, ...] = (
        "none",
        [1],
        [{}],
        [{**whole, "pointer": "AA=="}],
        [{**whole, "pointer": "?"}],
        [{**whole, "length": True}],
    )
    for damaged in damages:
        with pytest.raises(BadBody, match="malformed"):
            Body.decode(json.dumps({**members, "attachments": damaged}).encode())
