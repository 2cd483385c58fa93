"""What a brand can change about groups."""

from dataclasses import dataclass
from datetime import timedelta

from features.documented import documented


@dataclass(frozen=True, slots=True)
class GroupsPolicy:
    """Limits of encrypted groups."""

    max_members: int = documented(1_500)
    """Accounts in a group."""
    max_groups: int = 1_000
    """Groups of an account; somebody who is in as many cannot create one more, and is not added to more."""
    max_message_bytes: int = documented(64 * 1024)
    """Of an application message or a proposal."""
    max_commit_bytes: int = documented(2 * 1024 * 1024)
    """Of a commit. One that adds 1,500 devices has about 900 KiB."""
    max_welcome_bytes: int = documented(1024 * 1024)
    """Of a Welcome with all whom it is for."""
    max_group_info_bytes: int = documented(64 * 1024)
    """Of a GroupInfo without the tree, also of what one joiner reads of a Welcome."""
    undelivered: timedelta = timedelta(days=30)
    """How long a message waits for devices. A device that has missed a commit that is gone joins anew."""
    remembered: timedelta = timedelta(days=7)
    """How long a repeated client id is answered as the first time."""
    remembered_per_device: int = 8
    """Newest client ids of a device in a group that are remembered."""
    max_inline_bytes: int = 16 * 1024
    """A larger message does not go over sockets: devices read it from their inbox."""
    typing_members: int = 32
    """In a group with more accounts nobody is told who is typing."""
    typing_pause: timedelta = timedelta(seconds=3)
    """How often at most the others are told that somebody is typing."""
    max_missed: int = 16
    """Commits that the refusal of a late one contains."""
    checks_at_once: int = 2
    """Proposals, commits and trees that one process works on at the same time; a commit of 1,500 takes seconds."""
    checks_waiting: int = 64
    """More are refused with `group_checks_busy`."""
    kept_tree_bytes: int = 16 * 1024 * 1024
    """Of trees that one process keeps in memory; one of 1,500 devices has about 640 KiB."""
    trees_kept: timedelta = timedelta(minutes=2)
    """How long it keeps one."""
