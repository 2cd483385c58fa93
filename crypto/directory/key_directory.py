"""The directory itself, in memory: what a server has to do for the clients' checks to succeed.

Accounts submit new versions; ``close_epoch`` puts them all into the map and its root into the log.
"""

import hmac

from crypto.directory import vrf
from crypto.directory.account_keys import OPENING_LENGTH, AccountKeys
from crypto.directory.epoch import Epoch
from crypto.directory.lookup import DirectoryKeys, LookupAnswer
from crypto.directory.map_proof import INDEX_LENGTH
from crypto.directory.monitor import EpochAnswer
from crypto.directory.sparse_tree import SparseTree
from crypto.transparency import MerkleTree, SignedTreeHead, TreeHead

_OPENING_LABEL = b"Entativa directory 1 opening"


class KeyDirectory:
    """All epochs of one directory. The three secrets have 32 bytes each and never change."""

    def __init__(
        self, log_key: bytes, vrf_seed: bytes, opening_key: bytes, log_public: bytes, start: SparseTree | None = None
    ) -> None:
        """``start``: a map that is already there, with entries that this object need not know."""
        self.public = DirectoryKeys(log_public, vrf.public_key(vrf_seed))
        self._log_key, self._vrf_seed, self._opening_key = log_key, vrf_seed, opening_key
        self._start = start or SparseTree()
        self._log = MerkleTree()
        self._epochs: list[tuple[Epoch, SparseTree]] = []
        self._versions: dict[str, list[AccountKeys]] = {}  # shown and submitted
        self._shown: dict[str, list[int]] = {}  # the epoch in which version i + 1 was first shown
        self._submitted: dict[str, AccountKeys] = {}

    def index(self, user: str) -> tuple[bytes, bytes]:
        """Where an account stands (32 bytes), and the VRF's proof of it (80 bytes)."""
        proof = vrf.prove(self._vrf_seed, user.encode())
        return vrf.output(proof)[:INDEX_LENGTH], proof

    def submit(self, keys: AccountKeys) -> None:
        """Take a new version for the next epoch. Raises ``ValueError`` unless it follows the newest one shown.

        Whether the account wants this is for the caller to know.
        """
        newest = self._versions.get(keys.user, [None])[-1]
        if keys.number != 1 if newest is None else not keys.follows(newest.number, newest.digest):
            raise ValueError("the keys do not follow the newest version")
        self._submitted[keys.user] = keys

    def close_epoch(self, timestamp: int) -> SignedTreeHead:
        """Make everything submitted visible, at ``timestamp`` in milliseconds, and sign the new head."""
        tree = self._epochs[-1][1] if self._epochs else self._start
        for user, keys in self._submitted.items():
            tree = tree.put(self.index(user)[0], keys.commitment(self.opening(keys)))
            self._versions.setdefault(user, []).append(keys)
            self._shown.setdefault(user, []).append(len(self._epochs))
        self._submitted.clear()
        epoch = Epoch(len(self._epochs), timestamp, tree.root)
        self._epochs.append((epoch, tree))
        self._log.append(epoch.encode())
        return self.head()

    def head(self, size: int | None = None) -> SignedTreeHead:
        """The newest head, or the one of the first ``size`` epochs. Raises ``IndexError`` before the first epoch."""
        size = self._log.size if size is None else size
        timestamp = self._epochs[size - 1][0].timestamp
        return SignedTreeHead.sign(TreeHead(timestamp, size, self._log.root(size)), self._log_key)

    def consistency(self, old_size: int, size: int | None = None) -> tuple[bytes, ...]:
        """From a client's head of ``old_size`` epochs, 0 for none, to the newest or to one of ``size`` epochs."""
        return tuple(self._log.consistency_proof(old_size, size)) if old_size else ()

    def lookup(self, user: str, known_size: int, seen: int) -> LookupAnswer:
        """``known_size``: of the client's head; ``seen``: the newest version that it has seen; 0 for none."""
        epoch, tree = self._epochs[-1]
        index, proof = self.index(user)
        versions = self._versions.get(user, [])
        keys = versions[-1] if versions else None
        return LookupAnswer(
            self.head(),
            self.consistency(known_size),
            epoch,
            tuple(self._log.inclusion_proof(epoch.number)),
            proof,
            tree.prove(index),
            keys,
            None if keys is None else self.opening(keys),
            tuple(versions[seen:-1]) if seen else (),
        )

    def epochs(self, user: str, first: int) -> list[EpochAnswer]:
        """For the owner: its entry in all epochs from number ``first`` on."""
        index, _ = self.index(user)
        answers = []
        for epoch, tree in self._epochs[first:]:
            shown = sum(number <= epoch.number for number in self._shown.get(user, []))
            keys = self._versions[user][shown - 1] if shown else None
            opening = None if keys is None else self.opening(keys)
            answers.append(
                EpochAnswer(
                    epoch,
                    tuple(self._log.inclusion_proof(epoch.number)),
                    tree.prove(index),
                    None if keys is None or opening is None else keys.commitment(opening),
                    (keys, opening)
                    if keys is not None and opening is not None and self._first_shown_in(keys, epoch)
                    else None,
                )
            )
        return answers

    def _first_shown_in(self, keys: AccountKeys, epoch: Epoch) -> bool:
        return self._shown[keys.user][keys.number - 1] == epoch.number

    def opening(self, keys: AccountKeys) -> bytes:
        """What opens the map's commitment to ``keys``, 32 bytes: for whoever may see the keys."""
        return hmac.digest(self._opening_key, _OPENING_LABEL + keys.digest, "sha256")[:OPENING_LENGTH]
