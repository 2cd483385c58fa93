"""Uploaded videos become streams, for their owners."""

import json
import re
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from features.videos.sweeping import sweep_videos
from tests.support.clips import clip, made
from tests.support.environment import ROOT, Environment
from tests.support.files import file_of
from tests.support.member import Member
from tests.support.uploads import stored, sweep, upload

VTT = "WEBVTT\n\n00:00.500 --> 00:01.500\nHello\n"


async def _video(member: Member, media_id: str) -> dict[str, Any]:
    answer = await member.get(f"/media/{media_id}/video")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _read(environment: Environment, path: str) -> bytes:
    answer = await environment.anonymous.get(f"{ROOT}{path}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.content


def _beside(path: str, name: str) -> str:
    return f"{path.rpartition('/')[0]}/{name}"


async def _save_stream(environment: Environment, path: str, folder: Path) -> None:
    """Reads a stream as a player does: playlists, and what they refer to."""
    waiting, seen = [path.rpartition("/")[2]], set[str]()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            content = await _read(environment, _beside(path, name))
            (folder / name).write_bytes(content)
            if name.endswith(".m3u8"):
                text = content.decode()
                waiting += re.findall(r'URI="([^"]+)"', text)
                waiting += [line for line in text.splitlines() if line and not line.startswith("#")]


def _frames(path: Path) -> int:
    command = ["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v:0"]
    entries = ["-show_entries", "stream=nb_read_frames", "-of", "json", str(path)]
    result = subprocess.run([*command, *entries], capture_output=True, text=True, check=True)
    return int(json.loads(result.stdout)["streams"][0]["nb_read_frames"])


async def test_a_video_becomes_a_stream(entativa: Environment, tmp_path: Path) -> None:
    ada = await entativa.member("ada")
    media_id = await upload(entativa, ada, clip(), "video/mp4")
    video = await _video(ada, media_id)
    assert (video["state"], video["percent"], video["problem"]) == ("ready", 100, None)
    assert (video["width"], video["height"], video["duration_ms"]) == (64, 36, 3000)
    await _save_stream(entativa, video["stream"]["path"], tmp_path)
    assert _frames(tmp_path / "master.m3u8") == 90
    master = (tmp_path / "master.m3u8").read_text()
    assert 'mp4a.40.2",RESOLUTION=64x36,FRAME-RATE=30.000,AUDIO="audio"' in master
    poster = await _read(entativa, video["poster"]["path"])
    assert poster.startswith(b"\xff\xd8\xff")
    storyboard = (await _read(entativa, video["storyboard"]["path"])).decode()
    assert storyboard.count("storyboard.jpg#xywh=") == 50
    picture = await _read(entativa, _beside(video["storyboard"]["path"], "storyboard.jpg"))
    assert picture.startswith(b"\xff\xd8\xff")
    # All that is stored is listed; the hashes of its pictures have no name by which anybody could read them.
    async with entativa.platform.database.unit_of_work(read_only=True) as uow:
        listed = {row["key"]: row["name"] for row in await uow.fetch("select key, name from video_objects")}
    assert sorted(listed) == [key for key in stored(entativa) if key.startswith("videos/")]
    assert list(listed.values()).count(None) == 1


async def test_a_segment_is_a_range_of_a_file_and_read_in_two_statements(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    video = await _video(ada, await upload(entativa, ada, clip(), "video/mp4"))
    playlist = (await _read(entativa, _beside(video["stream"]["path"], "36p.m3u8"))).decode()
    found = re.search(r"#EXT-X-BYTERANGE:(\d+)@(\d+)\n(\S+)", playlist)
    assert found
    size, offset = int(found[1]), int(found[2])
    answer = await entativa.anonymous.get(
        f"{ROOT}{_beside(video['stream']['path'], found[3])}",
        headers={"Range": f"bytes={offset}-{offset + size - 1}"},
    )
    assert (answer.status_code, len(answer.content)) == (206, size)
    assert answer.content[4:8] == b"moof"
    assert answer.headers["Content-Type"] == "video/mp4"
    assert entativa.statements(answer) == 2


async def test_what_is_no_video_has_a_problem_and_leaves_nothing_in_storage(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    source = clip()
    nothing = source[:40] + bytes(5000)
    broken = source[:60] + bytes(len(source) - 60)
    silent = made("-f", "lavfi", "-i", "sine=440", "-t", "1", "-c:a", "aac")
    still = ("-f", "lavfi", "-i", "color=size=64x36:rate=1", "-c:v", "libx264", "-preset", "ultrafast")
    files = {
        "too_long": [made(*still, "-t", str(timedelta(hours=10).total_seconds()))],
        "broken": [nothing, broken, source[: len(source) // 2]],
        "audio_only": [silent],
        "bad_frame_rate": [clip(rate="600", seconds=0.5, audio=False)],
    }
    for problem, contents in files.items():
        for content in contents:
            video = await _video(ada, await upload(entativa, ada, content, "video/mp4"))
            assert (video["state"], video["problem"], video["stream"]) == ("failed", problem, None)
            medium = (await ada.get(f"/media/{video['media_id']}")).json()
            assert (medium["state"], medium["failure"], medium["address"]) == ("failed", "unreadable", None)
            answer = await ada.get(f"/media/{video['media_id']}/content")
            assert (answer.status_code, answer.json()["code"]) == (409, "media_failed")
    entativa.clock.advance(timedelta(hours=2))
    await sweep_videos(entativa.platform)
    await sweep(entativa)
    assert stored(entativa) == []


@pytest.mark.parametrize("container", ["quicktime", "webm"])
async def test_other_containers(entativa: Environment, container: str) -> None:
    ada = await entativa.member("ada")
    picture = ("-f", "lavfi", "-i", "testsrc2=size=64x36:rate=25", "-t", "1")
    content = (
        made(*picture, "-c:v", "libvpx", "-deadline", "realtime", suffix="webm")
        if container == "webm"
        else made(*picture, "-c:v", "libx264", "-preset", "ultrafast", suffix="mov")
    )
    video = await _video(ada, await upload(entativa, ada, content, f"video/{container}"))
    assert (video["state"], video["duration_ms"]) == ("ready", 1000)


async def test_a_stream_ends_with_its_medium_and_is_deleted_from_storage(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    media_id = await upload(entativa, ada, clip(), "video/mp4")
    video = await _video(ada, media_id)
    assert (await ada.delete(f"/media/{media_id}/addresses")).status_code == 204
    assert (await entativa.anonymous.get(f"{ROOT}{video['stream']['path']}")).status_code == 404
    again = await _video(ada, media_id)
    paths = [again[name]["path"] for name in ("stream", "poster", "storyboard")]
    paths += [_beside(paths[0], name) for name in ("36p.m3u8", "36p-0.mp4", "audio.mp4")]
    for path in paths:
        await _read(entativa, path)
    await ada.delete(f"/media/{media_id}")
    for path in paths:
        assert (await entativa.anonymous.get(f"{ROOT}{path}")).status_code == 404
    assert (await ada.get(f"/media/{media_id}/video")).status_code == 404
    entativa.clock.advance(timedelta(minutes=1))
    await sweep_videos(entativa.platform)
    entativa.clock.advance(timedelta(hours=1))
    await sweep(entativa)
    assert stored(entativa) == []


async def test_a_video_that_no_post_shows_is_deleted_after_a_week(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    await upload(entativa, ada, clip(), "video/mp4")
    for days, kept in ((6, True), (2, False)):
        entativa.clock.advance(timedelta(days=days))
        await sweep(entativa)
        await sweep_videos(entativa.platform)
        ada = await entativa.log_in("ada")
        assert [item["state"] for item in (await ada.get("/media")).json()["items"]] == ["ready"] * kept
    entativa.clock.advance(timedelta(hours=2))
    await sweep(entativa)
    assert stored(entativa) == []


async def test_nobody_else_learns_of_a_video(entativa: Environment) -> None:
    ada, friend, blocked, stranger = [await entativa.member(name) for name in ("ada", "grace", "eve", "linus")]
    for one, other in ((ada, friend), (friend, ada)):
        await one.post("/friends/requests", json={"username": other.username})
    await ada.put("/close-friends/grace")
    await ada.put("/blocks/eve")
    media_id = await upload(entativa, ada, clip(), "video/mp4")
    everybody = ((friend, 404), (blocked, 404), (stranger, 404), (entativa.anonymous, 401))
    for member, status in everybody:
        assert (await member.get(f"/media/{media_id}/video")).status_code == status
        body = {"label": "English", "webvtt": VTT}
        assert (await member.put(f"/media/{media_id}/captions/en", json=body)).status_code == status
        assert (await member.delete(f"/media/{media_id}/captions/en")).status_code == status
    assert (await _video(ada, media_id))["captions"] == []


async def test_a_stream_is_dead_while_its_owner_s_account_is_not_active(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    video = await _video(ada, await upload(entativa, ada, clip(), "video/mp4"))
    await _read(entativa, video["stream"]["path"])
    await entativa.suspend(ada)
    for name in ("master.m3u8", "36p.m3u8", "36p-0.mp4", "poster.jpg"):
        path = _beside(video["stream"]["path"], name)
        assert (await entativa.anonymous.get(f"{ROOT}{path}")).status_code == 404


async def test_an_image_is_no_video(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    media_id = await upload(entativa, ada, file_of(1000))
    answer = await ada.get(f"/media/{media_id}/video")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_a_video")
    answer = await ada.put(f"/media/{media_id}/captions/en", json={"label": "English", "webvtt": VTT})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_a_video")


async def test_captions_are_part_of_the_stream(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    media_id = await upload(entativa, ada, clip(), "video/mp4")
    for language, label in (("en", "English"), ("pt-BR", "Português")):
        answer = await ada.put(f"/media/{media_id}/captions/{language}", json={"label": label, "webvtt": VTT})
        assert answer.json() == {"language": language, "label": label, "origin": "uploaded"}
    video = await _video(ada, media_id)
    assert [one["language"] for one in video["captions"]] == ["en", "pt-BR"]
    path = video["stream"]["path"]
    master = (await _read(entativa, path)).decode()
    assert 'NAME="Português",LANGUAGE="pt-BR"' in master
    playlist = (await _read(entativa, _beside(path, "captions-pt-BR.m3u8"))).decode()
    assert "captions-pt-BR.vtt" in playlist
    text = (await _read(entativa, _beside(path, "captions-pt-BR.vtt"))).decode()
    assert text.startswith("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:90000,LOCAL:00:00:00.000\n")
    assert "00:00:00.500 --> 00:00:01.500\nHello" in text

    assert (await ada.delete(f"/media/{media_id}/captions/pt-BR")).status_code == 204
    assert (await ada.delete(f"/media/{media_id}/captions/pt-BR")).json()["code"] == "no_such_captions"
    assert "pt-BR" not in (await _read(entativa, path)).decode()
    assert (await entativa.anonymous.get(f"{ROOT}{_beside(path, 'captions-pt-BR.vtt')}")).status_code == 404


async def test_captions_that_are_wrong_name_their_field(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    media_id = await upload(entativa, ada, clip(), "video/mp4")
    path = f"/media/{media_id}/captions"
    for language, webvtt, code, field in (
        ("english", VTT, "bad_language", "language"),
        ("EN", VTT, "bad_language", "language"),
        ("en", "1\n00:00:01,000 --> 00:00:02,000\nHi", "bad_captions", "webvtt"),
        ("en", "WEBVTT", "bad_captions", "webvtt"),
    ):
        answer = await ada.put(f"{path}/{language}", json={"label": "English", "webvtt": webvtt})
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert field in answer.text
    for label, code in ((" \u3164", "empty"), ('a\nb"', "control_characters"), ("a\u202eb", "control_characters")):
        answer = await ada.put(f"{path}/en", json={"label": label, "webvtt": VTT})
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert [error["field"] for error in answer.json()["errors"]] == ["label"]
    too_long = await ada.put(f"{path}/en", json={"label": "English", "webvtt": "WEBVTT" + "\n" * 500_000})
    assert too_long.status_code == 422
    assert (await _video(ada, media_id))["captions"] == []


async def test_captions_are_limited_in_number(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    media_id = await upload(entativa, ada, clip(), "video/mp4")
    languages = [f"{letter}a" for letter in "abcdefghijklmnopqrst"]
    for language in languages:
        answer = await ada.put(f"/media/{media_id}/captions/{language}", json={"label": "x", "webvtt": VTT})
        assert answer.status_code == 200
    answer = await ada.put(f"/media/{media_id}/captions/zz", json={"label": "x", "webvtt": VTT})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_captions")
    again = await ada.put(f"/media/{media_id}/captions/aa", json={"label": "y", "webvtt": VTT})
    assert again.json()["label"] == "y"
