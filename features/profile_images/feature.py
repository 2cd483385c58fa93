"""What this slice declares. What is stored of an image is kept by features/profiles, since whatever lists people shows
it."""

from features.accounts.feature import ACCOUNTS
from features.feature import Feature, Scope
from features.media.feature import MEDIA
from features.media.service import MediaService
from features.profile_images.policy import ProfileImagePolicy
from features.profile_images.service import ProfileImageService
from features.profiles.feature import PROFILES
from features.profiles.service import ProfileService


def _service(scope: Scope) -> ProfileImageService:
    return ProfileImageService(
        scope.policy(ProfileImagePolicy), scope.service(ProfileService), scope.service(MediaService)
    )


PROFILE_IMAGES = Feature(
    name="profile_images",
    needs=(ACCOUNTS, MEDIA, PROFILES),
    policy=ProfileImagePolicy,
    service=_service,
)
