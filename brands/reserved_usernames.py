"""Usernames that no brand gives away."""

from features.profiles.policy import RESERVED_USERNAMES, ProfilePolicy

PROFILE_POLICY = ProfilePolicy(reserved_usernames=RESERVED_USERNAMES | {"entativa", "vignette"})
