"""An uploaded image becomes files that others can be shown, or a medium that says why it cannot."""

import io
from datetime import timedelta

import PIL.Image

from features.media.model import MediaType
from tests.support.environment import ROOT, Environment
from tests.support.hostile_images import encoded, hostile_images, noise
from tests.support.uploads import stored, sweep, upload

JPEG = encoded(noise(800, 500), MediaType.JPEG)


async def test_an_image_has_a_size_a_preview_and_files(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    medium = (await ada.get(f"/media/{await upload(entativa, ada, JPEG)}")).json()
    assert medium["state"] == "ready"
    assert medium["failure"] is None
    assert len(medium["image"].pop("blurhash")) == 28
    assert medium["image"] == {"width": 800, "height": 500, "widths": [320, 640, 800]}
    folder = f"{ROOT}{medium['address']['path']}".removesuffix("original")
    for name, content_type in (("640.webp", "image/webp"), ("320.jpg", "image/jpeg")):
        answer = await entativa.anonymous.get(folder + name)
        assert entativa.statements(answer) == 1
        assert answer.headers["Content-Type"] == content_type
        assert PIL.Image.open(io.BytesIO(answer.content)).width == int(name.partition(".")[0])
    assert (await entativa.anonymous.get(folder + "original")).content == JPEG
    assert (await entativa.anonymous.get(folder + "641.webp")).status_code == 404


async def test_an_image_that_cannot_be_shown_says_why_and_leaves_nothing(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    [(_, media_type, bomb)] = [each for each in hostile_images() if each[0] == "PNG of 400 million pixels"]
    for data, kind, failure in (
        (bomb, media_type, "too_many_pixels"),
        (JPEG[: len(JPEG) // 2], MediaType.JPEG, "unreadable"),
    ):
        media_id = await upload(entativa, ada, data, kind)
        medium = (await ada.get(f"/media/{media_id}")).json()
        assert (medium["state"], medium["failure"]) == ("failed", failure)
        assert (medium["image"], medium["address"]) == (None, None)
        content = await ada.get(f"/media/{media_id}/content")
        assert (content.status_code, content.json()["code"]) == (409, "media_failed")
    assert len((await ada.get("/media")).json()["items"]) == 2
    entativa.clock.advance(timedelta(days=2))
    await sweep(entativa)
    assert stored(entativa) == []
    ada = await entativa.log_in("ada")
    assert (await ada.delete(f"/media/{media_id}")).status_code == 204


async def test_files_go_with_their_medium_unless_another_has_the_same(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    first, second = await upload(entativa, ada, JPEG), await upload(entativa, ada, JPEG)
    assert len(stored(entativa)) >= 7
    kept = [key for key in stored(entativa) if key.startswith("objects/")]
    await ada.delete(f"/media/{first}")
    entativa.clock.advance(timedelta(hours=2))
    await sweep(entativa)
    assert stored(entativa) == kept
    ada = await entativa.log_in("ada")
    await ada.delete(f"/media/{second}")
    entativa.clock.advance(timedelta(hours=2))
    await sweep(entativa)
    assert stored(entativa) == []
    async with entativa.platform.database.unit_of_work(read_only=True) as uow:
        assert await uow.fetchval("select count(*) from media_objects") == 0
