"""Addresses of content: read without an access token, and dead as soon as their medium is."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr

from cluster.objects import open_objects
from features.media.service import MediaService
from tests.support.environment import ROOT, Environment
from tests.support.files import file_of
from tests.support.member import Member
from tests.support.s3_server import S3Server, s3_server
from tests.support.uploads import append, begin, upload

JPEG = file_of(100_000)


async def _address(member: Member, media_id: str) -> str:
    path: str = (await member.get(f"/media/{media_id}")).json()["address"]["path"]
    return f"{ROOT}{path}"


async def test_content_is_read_by_its_address_in_one_statement(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    address = await _address(ada, await upload(entativa, ada, JPEG))
    answer = await entativa.anonymous.get(address)
    assert (answer.status_code, answer.content) == (200, JPEG)
    assert entativa.statements(answer) == 1
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "image/jpeg"
    part = await entativa.anonymous.get(address, headers={"Range": "bytes=-10"})
    assert (part.status_code, part.content) == (206, JPEG[-10:])


async def test_an_address_stays_the_same_for_a_while(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    media_id = await upload(entativa, ada, JPEG)
    address = await _address(ada, media_id)
    assert await _address(ada, media_id) == address
    assert (await ada.get("/media")).json()["items"][0]["address"]["path"] in address
    entativa.clock.advance(timedelta(minutes=30))
    ada = await entativa.log_in("ada")
    assert await _address(ada, media_id) != address


async def test_an_address_expires(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    address = await _address(ada, await upload(entativa, ada, JPEG))
    entativa.clock.advance(timedelta(minutes=30))
    assert (await entativa.anonymous.get(address)).status_code == 200
    entativa.clock.advance(timedelta(minutes=31))
    answer = await entativa.anonymous.get(address)
    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_media")


async def test_an_address_that_was_changed_is_refused(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    address = await _address(ada, await upload(entativa, ada, JPEG))
    token = address.split("/")[-2]
    for position in range(0, len(token), 5):
        changed = token[:position] + ("A" if token[position] != "A" else "B") + token[position + 1 :]
        assert (await entativa.anonymous.get(address.replace(token, changed))).status_code == 404


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


def _store_on(server: S3Server, environment: Environment) -> None:
    """Has the brand store its objects in a bucket."""
    server.make_bucket("media")
    settings = environment.settings.model_copy(
        update={
            "objects_url": "s3://media",
            "objects_s3_endpoint": server.endpoint,
            "objects_s3_access_key_id": server.access_key_id,
            "objects_s3_secret_access_key": SecretStr(server.secret_access_key),
        }
    )
    objects = open_objects(settings, environment.brand.name)
    service = environment.platform.service(MediaService)
    uploads = replace(service.uploads, objects=objects)
    environment.platform.services[MediaService] = replace(service, objects=objects, uploads=uploads)


async def test_content_on_s3_is_read_by_its_address_alone(entativa: Environment, s3: S3Server) -> None:
    _store_on(s3, entativa)
    ada = await entativa.member("ada")
    address = await _address(ada, await upload(entativa, ada, JPEG))
    answer = await entativa.anonymous.get(address)
    assert (answer.status_code, answer.content) == (200, JPEG)
    part = await entativa.anonymous.get(address, headers={"Range": "bytes=-10"})
    assert (part.status_code, part.content) == (206, JPEG[-10:])
    token = address.split("/")[-2]
    changed = token[:9] + ("A" if token[9] != "A" else "B") + token[10:]
    assert (await entativa.anonymous.get(address.replace(token, changed))).status_code == 404
    stored = [str(path.relative_to(s3.folder)) for path in (s3.folder / "media").rglob("*") if path.is_file()]
    assert stored
    async with httpx.AsyncClient(timeout=60) as client:  # past us, without our signature
        assert {(await client.get(f"{s3.endpoint}/{path}")).status_code for path in stored} == {403}
    entativa.clock.advance(timedelta(minutes=61))
    assert (await entativa.anonymous.get(address)).status_code == 404


async def test_an_address_of_another_brand_is_refused(entativa: Environment, vignette: Environment) -> None:
    ada = await entativa.member("ada")
    address = await _address(ada, await upload(entativa, ada, JPEG))
    assert (await vignette.anonymous.get(address)).status_code == 404


async def test_an_address_ends_with_its_medium(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    media_id = await upload(entativa, ada, JPEG)
    address = await _address(ada, media_id)
    await ada.delete(f"/media/{media_id}")
    assert (await entativa.anonymous.get(address)).status_code == 404


async def test_an_owner_ends_the_addresses_that_were_given_out(entativa: Environment) -> None:
    ada, grace = await entativa.member("ada"), await entativa.member("grace")
    media_id, other = await upload(entativa, ada, JPEG), await upload(entativa, ada, file_of(1000))
    former, untouched = await _address(ada, media_id), await _address(ada, other)
    assert (await grace.delete(f"/media/{media_id}/addresses")).status_code == 404
    assert (await entativa.anonymous.delete(f"/media/{media_id}/addresses")).status_code == 401
    assert (await entativa.anonymous.get(former)).status_code == 200
    assert (await ada.delete(f"/media/{media_id}/addresses")).status_code == 204
    assert (await entativa.anonymous.get(former)).status_code == 404
    assert (await entativa.anonymous.get(untouched)).status_code == 200
    assert (await entativa.anonymous.get(await _address(ada, media_id))).content == JPEG


async def test_content_that_is_not_ready_has_no_address(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    path = await begin(ada, len(JPEG))
    await append(ada, path, 0, JPEG)
    assert (await ada.get(path.replace("uploads", "media"))).json()["address"] is None
