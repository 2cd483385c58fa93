"""The key directory: which identity keys an account has *now*, provably the newest, watched by their owner.

A verifiable map with hidden indexes, as in CONIKS (Melara et al., USENIX Security 2015), whose roots are the entries of
an RFC 6962 log. ``check_lookup`` is for contacts, ``OwnerMonitor`` for the owner's devices, ``KeyDirectory`` is the
server's part; ``crypto.transparency.HeadGossip`` compares the log's heads between clients.
"""

from crypto.directory.account_keys import AccountKeys
from crypto.directory.epoch import Epoch
from crypto.directory.errors import (
    DirectoryError,
    DirectoryStale,
    KeysRewritten,
    PublicationLate,
    UnexpectedKeys,
)
from crypto.directory.key_directory import KeyDirectory
from crypto.directory.lookup import DirectoryKeys, LookupAnswer, SeenKeys, check_lookup
from crypto.directory.map_proof import MapProof
from crypto.directory.monitor import EpochAnswer, OwnerMonitor
from crypto.directory.sparse_tree import SparseTree

__all__ = [
    "AccountKeys",
    "DirectoryError",
    "DirectoryKeys",
    "DirectoryStale",
    "Epoch",
    "EpochAnswer",
    "KeyDirectory",
    "KeysRewritten",
    "LookupAnswer",
    "MapProof",
    "OwnerMonitor",
    "PublicationLate",
    "SeenKeys",
    "SparseTree",
    "UnexpectedKeys",
    "check_lookup",
]
