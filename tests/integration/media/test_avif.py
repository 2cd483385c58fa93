"""Images that are read often get AVIF files, for clients that show them, at the addresses that there are."""

from __future__ import annotations

import io
from datetime import timedelta
from uuid import UUID

import PIL.Image

from cluster.events.worker import drain_events
from deployments.platform import brand_consumers
from features.media.service import MediaService
from tests.support.environment import Environment
from tests.support.pictures import waves
from tests.support.uploads import stored, sweep, upload

SHOWS_AVIF = {"Accept": "image/avif,image/webp,*/*"}


def _jpeg() -> bytes:
    out = io.BytesIO()
    PIL.Image.fromarray(waves(1, 120, 80)).convert("RGB").save(out, "jpeg")
    return out.getvalue()


async def test_an_image_that_is_read_often_gets_smaller_files(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    before = set(stored(entativa))
    media_id = await upload(entativa, ada, _jpeg())
    posted = await ada.post("/posts", json={"text": "x", "audience": "public", "media": [{"id": media_id}]})
    address = f"{posted.json()['media'][0]['path']}/120.webp"
    reads = entativa.platform.service(MediaService).policy.avif_reads
    for number in range(reads):
        read = await entativa.anonymous.get(address, headers=SHOWS_AVIF)
        assert (read.status_code, read.headers["Content-Type"], read.headers["Vary"]) == (200, "image/webp", "Accept")
        assert entativa.statements(read) == 1, number
    await drain_events(brand_consumers(entativa.platform), entativa.platform.database, entativa.event_log)

    smaller = await entativa.anonymous.get(address, headers=SHOWS_AVIF)
    assert (smaller.status_code, smaller.headers["Content-Type"], smaller.headers["Vary"]) == (
        200,
        "image/avif",
        "Accept",
    )
    assert entativa.statements(smaller) == 1
    with PIL.Image.open(io.BytesIO(smaller.content), formats=("AVIF",)) as picture:
        assert (picture.size, dict(picture.getexif())) == ((120, 80), {})
    # The same address has both, each with its own tag, and caches know what decides.
    for headers in ({}, {"Accept": "image/webp"}, {"Accept": "image/avif;q=0, */*"}):
        other = await entativa.anonymous.get(address, headers=headers)
        assert (other.headers["Content-Type"], other.headers["Vary"]) == ("image/webp", "Accept")
        assert other.headers["ETag"] == read.headers["ETag"] != smaller.headers["ETag"]
    kept = {**SHOWS_AVIF, "If-None-Match": smaller.headers["ETag"]}
    unchanged = await entativa.anonymous.get(address, headers=kept)
    assert (unchanged.status_code, unchanged.headers["Vary"]) == (304, "Accept")
    assert (await entativa.anonymous.get(address.replace(".webp", ".jpg"), headers=SHOWS_AVIF)).headers[
        "Content-Type"
    ] == "image/jpeg"

    # The address ends as before, and the files go with the medium.
    assert (await ada.delete(f"/posts/{posted.json()['id']}")).status_code == 204
    assert (await entativa.anonymous.get(address, headers=SHOWS_AVIF)).status_code == 404
    entativa.clock.advance(timedelta(days=10))
    for _ in range(2):
        await sweep(entativa)
        entativa.clock.advance(timedelta(hours=2))
    assert set(stored(entativa)) == before


async def test_files_are_made_once_and_not_of_what_is_gone(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    media = entativa.platform.service(MediaService)
    ids = [await upload(entativa, ada, _jpeg()) for _ in range(2)]
    for media_id in (*ids, ids[0]):
        await media.make_smaller(UUID(media_id), entativa.clock())
    assert (await ada.delete(f"/media/{ids[1]}")).status_code == 204
    await drain_events(brand_consumers(entativa.platform), entativa.platform.database, entativa.event_log)
    rows = await entativa.platform.database.pool.fetch(
        "select media_id::text, name from media_files where name like '%.avif'"
    )
    assert [(row["media_id"], row["name"]) for row in rows] == [(ids[0], "120.avif")]
