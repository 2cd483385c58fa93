"""Objects that are to be deleted from storage, for other slices that store some, too.

Whoever stores an object notes it as garbage before and takes that back in the transaction that refers to it, so that
nothing in storage is ever forgotten. run_media_sweeps deletes what is due.
"""

from features.media.store import discard, keep

__all__ = ["discard", "keep"]
