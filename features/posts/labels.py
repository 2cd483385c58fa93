"""Validates what a post has beside its text: a content warning, a place."""

from features.posts.errors import IncompletePoint
from features.posts.model import Place
from features.posts.policy import PostPolicy
from features.text import clean_line


def clean_content_warning(text: str, policy: PostPolicy) -> str | None:
    """Returns a content warning as it is stored, None for an empty one. Raises Invalid as `clean_line` does."""
    if not text:
        return None
    return clean_line(text, field="content_warning", max_characters=policy.max_content_warning_length)


def clean_place(place: Place, policy: PostPolicy) -> Place | None:
    """Returns a place as it is stored, None for one with an empty name. Its coordinates are rounded, so that nothing
    can tell more exactly where somebody was. Raises Invalid as `clean_line` does; IncompletePoint."""
    if not place["name"]:
        return None
    name = clean_line(place["name"], field="place.name", max_characters=policy.max_place_name_length)
    latitude, longitude = place["latitude"], place["longitude"]
    if latitude is None and longitude is None:
        return {"name": name, "latitude": None, "longitude": None}
    if latitude is None or longitude is None:
        missing = "latitude" if latitude is None else "longitude"
        raise IncompletePoint(field=f"place.{missing}")
    decimals = policy.place_decimals
    # Adding zero makes a rounded -0.0 zero.
    return {"name": name, "latitude": round(latitude, decimals) + 0.0, "longitude": round(longitude, decimals) + 0.0}
