"""What a brand can change about profiles."""

from dataclasses import dataclass

from features.documented import documented

_RESERVED = """
about abuse account accounts admin administrator anonymous api app apps billing blog contact copyright deleted developer
developers docs everyone explore feed health help here home info jobs legal login logout mail metrics moderation
moderator moderators news nobody null oauth official openapi payments postmaster press privacy profile profiles root
safety search security settings signin signup staff status support system team terms trust undefined user users
verified webmaster www
"""
RESERVED_USERNAMES = frozenset(_RESERVED.split())
"""Names that could impersonate the platform, or that clients use as paths."""


@dataclass(frozen=True, slots=True)
class ProfilePolicy:
    reserved_usernames: frozenset[str] = RESERVED_USERNAMES
    max_name_characters: int = documented(50)
    max_bio_characters: int = documented(500)
    max_pronouns_characters: int = documented(40)
    max_links: int = documented(5)
    max_link_characters: int = documented(300)
