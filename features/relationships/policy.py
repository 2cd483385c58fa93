"""What a brand can change about relationships."""

from dataclasses import dataclass

from features.documented import documented


@dataclass(frozen=True, slots=True)
class RelationshipPolicy:
    max_blocks: int = 10_000
    max_mutes: int = 10_000
    max_close_friends: int = 1_500
    max_lists: int = 50
    max_list_members: int = 1_500
    max_list_name_characters: int = documented(50)
