"""What refusals tell about the present state, as JSON."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from features.groups.model import AcceptedCommit, Posted
from features.microseconds import microseconds_of, timestamp


def current_message(posted: Posted) -> Mapping[str, Any]:
    """Returns how a message was answered."""
    sent_at = timestamp(microseconds_of(posted.sent_at))
    return {"seq": posted.seq, "sent_at": sent_at, "epoch": posted.epoch}


def current_epoch(epoch: int, commits: Sequence[AcceptedCommit]) -> Mapping[str, Any]:
    """Returns the present epoch, and the commits that a late sender has missed, the first ones if they are many."""
    missed = [
        {
            "seq": each.seq,
            "epoch": each.epoch,
            "message": None if each.message is None else b64encode(each.message).decode(),
        }
        for each in commits
    ]
    return {"epoch": epoch, "commits": missed}
