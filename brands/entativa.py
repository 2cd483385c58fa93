"""Entativa: friends, events, one feed."""

from brands import Brand

BRAND = Brand(
    name="entativa",
    title="Entativa",
    features=frozenset({"auth", "profiles", "relationships", "friends", "posts", "feed", "realtime"}),
)
