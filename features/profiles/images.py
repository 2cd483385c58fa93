"""Images of profiles as readers see them."""

from features.profiles.model import Avatar, ProfileImage


def path_of(image: ProfileImage) -> str:
    """Returns where everybody reads the files of a profile's image. Another image has another path."""
    return f"/profile-media/{image['id']}"


def avatar_view(image: ProfileImage | None) -> Avatar | None:
    """Returns the image of a person as lists and posts show it."""
    if image is None:
        return None
    return {"path": path_of(image), "blurhash": image["blurhash"], "widths": image["widths"]}
