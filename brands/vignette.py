"""Vignette: follows, short video, three feeds, creators."""

from brands import Brand

BRAND = Brand(
    name="vignette",
    title="Vignette",
    features=frozenset({"auth", "profiles", "relationships", "follows", "posts", "feed", "realtime"}),
)
