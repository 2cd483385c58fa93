"""The service of avatars and covers: images of an account that its profile shows to everybody who may see that."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.media.errors import ATTACHMENT_ERRORS, NoSuchMedia, UnusableMedia
from features.media.model import Image, StoredFile
from features.media.service import MediaService
from features.profile_images import store
from features.profile_images.errors import ImageTooSmall
from features.profile_images.policy import ProfileImagePolicy
from features.profiles.model import Images, ProfileImage, ProfileView
from features.profiles.service import ProfileService
from features.text import clean_line


@dataclass(frozen=True, slots=True)
class ProfileImageService:
    """Operations on the images of the caller's profile. They raise NoSuchPerson for a caller who has none any longer.

    What shows them, for media, is the account: both are attached to its id."""

    policy: ProfileImagePolicy
    profiles: ProfileService
    media: MediaService

    async def put_avatar(self, uow: UnitOfWork, account_id: UUID, media_id: UUID, now: datetime) -> ProfileView:
        """Shows an image as the caller's avatar, in place of the former one. Raises IMAGE_ERRORS, naming `id`."""
        before = await self.profiles.lock_images(uow, account_id)
        image = await self._attach(uow, account_id, media_id, kept=before.cover, now=now)
        side = self.policy.min_avatar_side
        if min(image.width, image.height) < side:
            raise ImageTooSmall(f"An avatar has at least {side} pixels on each side.")
        images = replace(before, avatar=_stored(media_id, "", image))
        return await self.profiles.show_images(uow, account_id, images, now)

    async def put_cover(
        self, uow: UnitOfWork, account_id: UUID, media_id: UUID, alt: str, now: datetime
    ) -> ProfileView:
        """Shows an image as the cover of the caller's profile, in place of the former one. Raises COVER_ERRORS."""
        alt = clean_line(alt, field="alt", max_characters=self.policy.max_alt_length, required=False)
        before = await self.profiles.lock_images(uow, account_id)
        image = await self._attach(uow, account_id, media_id, kept=before.avatar, now=now)
        width, height = self.policy.min_cover_width, self.policy.min_cover_height
        if image.width < width or image.height < height:
            raise ImageTooSmall(f"A cover has at least {width} x {height} pixels.")
        images = replace(before, cover=_stored(media_id, alt, image))
        return await self.profiles.show_images(uow, account_id, images, now)

    async def remove_avatar(self, uow: UnitOfWork, account_id: UUID, now: datetime) -> None:
        """Shows no avatar of the caller. If there is none, nothing changes."""
        before = await self.profiles.lock_images(uow, account_id)
        await self._remove(uow, account_id, before, replace(before, avatar=None), now)

    async def remove_cover(self, uow: UnitOfWork, account_id: UUID, now: datetime) -> None:
        """Shows no cover of the caller's profile. If there is none, nothing changes."""
        before = await self.profiles.lock_images(uow, account_id)
        await self._remove(uow, account_id, before, replace(before, cover=None), now)

    async def get_file(self, uow: UnitOfWork, media_id: UUID, name: str) -> StoredFile:
        """Returns a file of an image that a profile shows, in one statement. Raises NoSuchMedia, also while the account
        is not active."""
        file = await store.find_file(uow, media_id, name)
        if file is None:
            raise NoSuchMedia
        return file

    async def _attach(
        self, uow: UnitOfWork, account_id: UUID, media_id: UUID, *, kept: ProfileImage | None, now: datetime
    ) -> Image:
        """Has the profile show a medium beside the image that is kept, and no others. Raises ATTACHMENT_ERRORS."""
        media_ids = [media_id, *([UUID(kept["id"])] if kept else [])]
        try:
            medium, *_ = await self.media.attach(uow, account_id, account_id, media_ids, now)
        except ATTACHMENT_ERRORS as error:
            raise type(error)(field="id") from None
        if medium.image is None:
            raise UnusableMedia(field="id")
        return medium.image

    async def _remove(self, uow: UnitOfWork, account_id: UUID, before: Images, images: Images, now: datetime) -> None:
        if images == before:
            return
        kept = [UUID(each["id"]) for each in (images.avatar, images.cover) if each]
        await self.media.attach(uow, account_id, account_id, kept, now)
        await self.profiles.show_images(uow, account_id, images, now)


def _stored(media_id: UUID, alt: str, image: Image) -> ProfileImage:
    return {
        "id": str(media_id),
        "alt": alt,
        "width": image.width,
        "height": image.height,
        "blurhash": image.blurhash,
        "widths": image.widths,
    }
