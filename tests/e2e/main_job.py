"""The main job, from sign-up to a feed, for every way of deploying the platform."""

import io
import json
import time
from typing import Any

import httpx
from tusclient.client import TusClient
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.e2e.people import Device, People
from tests.e2e.running import RunningPlatform
from tests.support.clips import clip
from tests.support.files import file_of


def main_job(platform: RunningPlatform, brand: str) -> None:
    """Live through it on one brand."""
    with httpx.Client(base_url=platform.api(brand), timeout=30) as client:
        people = People(platform, client)
        _sessions(people)
        _posts(people)
        _media(people)
        _settings(people)


def _sessions(people: People) -> None:
    # Ada signs up on her phone, then logs in on her laptop.
    phone = people.sign_up("ada")
    laptop = people.log_in(phone.username)
    assert phone.expect(200, "GET", "/profiles/me")["username"] == phone.username
    devices = laptop.expect(200, "GET", "/auth/sessions")["items"]
    assert [device["current"] for device in devices] == [True, False]

    # The laptop's tokens are exchanged twice; each exchange gives new ones.
    first = laptop.tokens
    assert laptop.refresh().status_code == 200
    second = laptop.tokens
    assert laptop.refresh().status_code == 200
    assert len({tokens["refresh_token"] for tokens in (first, second, laptop.tokens)}) == 3

    # Then somebody comes with the first refresh token once more: the session has a thief in it, and ends for both.
    assert laptop.refresh(first["refresh_token"]).status_code == 401
    laptop.expect(401, "GET", "/profiles/me")
    assert laptop.refresh().status_code == 401
    phone.expect(200, "GET", "/profiles/me")

    # A tablet gets lost; the phone ends its session, and it is out at once.
    tablet = people.log_in(phone.username)
    tablet.expect(200, "GET", "/profiles/me")
    phone.expect(204, "DELETE", f"/auth/sessions/{tablet.tokens['session_id']}")
    tablet.expect(401, "GET", "/profiles/me")
    assert tablet.refresh().status_code == 401

    # Last, the phone logs out.
    phone.expect(204, "POST", "/auth/log-out")
    phone.expect(401, "GET", "/profiles/me")


def _posts(people: People) -> None:
    # Grace and Linus get to know each other.
    grace, linus = people.sign_up("grace"), people.sign_up("linus")
    assert not people.are_connected(grace, linus)
    people.connect(grace, linus)
    assert people.are_connected(grace, linus)

    # Linus writes; the second post names Grace and is for his connections only.
    texts = [f"Number {number} of many #{people.surname}" for number in range(6)]
    posts = [linus.expect(201, "POST", "/posts", text=text) for text in texts]
    private = linus.expect(201, "POST", "/posts", text=f"Hello @{grace.username}", audience="connections")
    assert [entity["kind"] for entity in private["entities"]] == ["mention"]

    # He corrects one of them; what it said before can be read.
    edited = linus.expect(200, "PATCH", f"/posts/{posts[0]['id']}", text="Number zero")
    assert edited["edited_at"] is not None
    versions = grace.expect(200, "GET", f"/posts/{posts[0]['id']}/history")["items"]
    assert [version["text"] for version in versions] == ["Number zero", texts[0]]

    # He deletes another; it is gone everywhere.
    linus.expect(204, "DELETE", f"/posts/{posts[1]['id']}")
    grace.expect(404, "GET", f"/posts/{posts[1]['id']}")

    # Grace reads her feed to its end, two posts a page, newest first.
    pages = grace.pages("/feed", limit=2)
    assert [len(page) for page in pages] == [2, 2, 2]
    expected = [private["text"], *reversed(texts[2:]), "Number zero"]
    assert [post["text"] for page in pages for post in page] == expected

    # A stranger sees the public posts, and not the one for connections.
    stranger = people.sign_up("mallory")
    assert stranger.expect(200, "GET", "/feed")["items"] == []
    shown = stranger.expect(200, "GET", f"/profiles/{linus.username}/posts")["items"]
    assert [post["text"] for post in shown] == expected[1:]
    stranger.expect(404, "GET", f"/posts/{private['id']}")

    # Grace blocks Linus. Neither finds the other any more, and the tie is gone.
    grace.expect(204, "PUT", f"/blocks/{linus.username}")
    for one, other in ((grace, linus), (linus, grace)):
        one.expect(404, "GET", f"/profiles/{other.username}")
        one.expect(404, "GET", f"/profiles/{other.username}/posts")
    assert grace.expect(200, "GET", "/feed")["items"] == []
    grace.expect(404, "GET", f"/posts/{posts[2]['id']}")
    assert [post["text"] for post in linus.expect(200, "GET", "/feed")["items"]] == expected


def _media(people: People) -> None:
    # Ada uploads a video of more than one part, and reads the end of it.
    ada, data = people.sign_up("ada_films"), file_of(20_000_000, "video/mp4")
    path = _uploaded(people, ada, data)
    _wait_for(ada, path, "ready")
    answer = people.client.get(f"{path}/content", headers={**_authorised(ada), "Range": "bytes=-1000"})
    assert (answer.status_code, answer.content) == (206, data[-1000:])

    # Another one becomes a stream: what a player reads is there.
    path = _uploaded(people, ada, clip(seconds=2))
    video = _wait_for(ada, f"{path}/video", "ready")
    root = str(people.client.base_url).removesuffix("/").removesuffix("/v1")
    stream = f"{root}{video['stream']['path'].removeprefix(httpx.URL(root).path)}"
    playlists = [people.client.get(stream.replace("master", name)) for name in ("master", "36p", "audio")]
    assert [playlist.status_code for playlist in playlists] == [200] * 3
    assert "36p.m3u8" in playlists[0].text
    segment = people.client.get(stream.replace("master.m3u8", "36p-0.mp4"), headers={"Range": "bytes=4-7"})
    assert (segment.status_code, segment.content) == (206, b"ftyp")


def _authorised(person: Device) -> dict[str, str]:
    return {"Authorization": f"Bearer {person.tokens['access_token']}"}


def _uploaded(people: People, person: Device, data: bytes) -> str:
    """Uploads a video. Returns the path of the medium."""
    client = TusClient(f"{str(people.client.base_url).rstrip('/')}/uploads", headers=_authorised(person))
    uploader = client.uploader(
        file_stream=io.BytesIO(data), chunk_size=12_000_000, metadata={"filetype": "video/mp4"}, retries=3
    )
    uploader.upload()
    return f"/media/{str(uploader.url).rpartition('/')[2]}"


def _wait_for(person: Device, path: str, state: str) -> dict[str, Any]:
    deadline = time.monotonic() + 120  # a job may have to wait for a new worker of Ray's
    while True:
        found: dict[str, Any] = person.expect(200, "GET", path)
        if found["state"] == state:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def _settings(people: People) -> None:
    # Sam changes a setting on the phone, and the laptop is sent it.
    phone = people.sign_up("sam")
    laptop = people.log_in(phone.username)
    ticket = laptop.expect(201, "POST", "/realtime/ticket")
    with connect(ticket["url"], subprotocols=[Subprotocol("realtime.v1.json")]) as socket:
        socket.send(json.dumps({"t": "hello", "ticket": ticket["ticket"]}))
        assert json.loads(socket.recv(timeout=60))["t"] == "welcome"
        changes = {"accessibility": {"captions": True}}
        changed = phone.expect(200, "PATCH", "/settings", version=0, changes=changes)
        while (frame := json.loads(socket.recv(timeout=60)))["t"] != "events":
            pass
    (event,) = frame["items"]
    assert (event["kind"], event["data"]) == ("settings", changed)

    # The laptop, which does not know yet, is told instead of overwriting it.
    stale = laptop.expect(409, "PATCH", "/settings", version=0, changes={"accessibility": {"captions": False}})
    assert stale["current"] == changed == laptop.expect(200, "GET", "/settings")
