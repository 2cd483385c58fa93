"""The service of the key directory: look-ups with proofs, and what an account's own devices check."""

import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from cluster.postgres import UnitOfWork
from crypto.directory import AccountKeys, EpochAnswer, LookupAnswer, vrf
from crypto.directory.account_keys import OPENING_LENGTH
from crypto.directory.lookup import MAX_HISTORY
from crypto.directory.map_proof import INDEX_LENGTH
from crypto.transparency import consistency_ranges, inclusion_ranges
from features.devices import store as devices
from features.devices.directory import store, stored_log, stored_map
from features.devices.directory.model import DirectoryInfo, FoundKeys, StoredEpoch
from features.devices.directory.secrets import DirectorySecrets
from features.devices.errors import DirectoryUnavailable, NoSuchHead
from features.devices.model import user_of
from features.feature import ExportedRow
from features.relationships.errors import NoSuchPerson

_OPENING_LABEL = b"Entativa directory 1 opening"
MAX_EPOCHS = 100


@dataclass(frozen=True, slots=True)
class DirectoryService:
    """`max_age`: after which clients should distrust a head."""

    secrets: DirectorySecrets
    max_age: timedelta

    async def info(self, uow: UnitOfWork) -> DirectoryInfo:
        """Returns what clients need to know of the directory. Raises DirectoryUnavailable."""
        newest = await self._newest(uow)
        return DirectoryInfo(self.secrets.public, newest.head, self.max_age // timedelta(milliseconds=1))

    async def consistency(self, uow: UnitOfWork, old_size: int, size: int) -> tuple[bytes, ...]:
        """Returns the proof that the log's first `size` epochs begin with its first `old_size`. Raises NoSuchHead,
        DirectoryUnavailable."""
        newest = await self._newest(uow)
        if not 0 < old_size <= size <= newest.size:
            raise NoSuchHead
        ranges = consistency_ranges(old_size, size)
        return stored_log.hashes(ranges, await store.log_nodes(uow, stored_log.needed(ranges)))

    async def look_up(self, uow: UnitOfWork, viewer: UUID, account_id: UUID, known_size: int, seen: int) -> FoundKeys:
        """Returns the newest keys of an account, with the proofs that crypto.directory.check_lookup checks.
        `known_size`: of the head that the client has; `seen`: the version of the keys that it has seen; 0 for none.
        Raises NoSuchPerson, NoSuchHead, DirectoryUnavailable. Five statements."""
        if not await devices.asked(uow, viewer, [account_id]):
            raise NoSuchPerson
        newest = await self._newest(uow)
        if known_size > newest.size:
            raise NoSuchHead
        epoch, user = newest.epoch, user_of(account_id)
        inclusion = inclusion_ranges(epoch.number, newest.size)
        consistency = consistency_ranges(known_size, newest.size) if known_size else []
        nodes = await store.log_nodes(uow, stored_log.needed([*inclusion, *consistency]))
        index, proof = self.index(user)
        subtrees = await store.subtrees(uow, [index], epoch.number)
        versions = await store.versions(uow, account_id, seen, epoch.number)
        shown = [each.keys for each in versions if each.shown_by(epoch.number)]
        keys = shown[-1] if shown else None
        answer = LookupAnswer(
            newest.head,
            stored_log.hashes(consistency, nodes),
            epoch,
            stored_log.hashes(inclusion, nodes),
            proof,
            stored_map.prove(subtrees, index),
            keys,
            None if keys is None else self.opening(keys),
            tuple(each for each in shown[:-1] if each.number > seen)[:MAX_HISTORY] if seen else (),
        )
        newer = versions[len(shown) :]
        return FoundKeys(answer.encode(), tuple(each.keys.encode() for each in newer))

    async def epochs(self, uow: UnitOfWork, account_id: UUID, first: int, size: int) -> list[bytes]:
        """Returns the account's entry in up to 100 epochs from number `first` on, for a client whose head has `size`
        epochs (crypto.directory.EpochAnswer, encoded). Raises NoSuchHead, DirectoryUnavailable. Five statements."""
        newest = await self._newest(uow)
        if not first < size <= newest.size:
            raise NoSuchHead
        last = min(first + MAX_EPOCHS, size) - 1
        found = await store.epochs(uow, first, last)
        ranges = {each.epoch.number: inclusion_ranges(each.epoch.number, size) for each in found}
        wanted = stored_log.needed(part for each in ranges.values() for part in each)
        nodes = await store.log_nodes(uow, wanted)
        index, _ = self.index(user_of(account_id))
        maps = await store.history(uow, index, first, last)
        shown = await store.shown(uow, account_id, first, last)
        answers = []
        for each, subtrees in zip(found, maps, strict=True):
            number = each.epoch.number
            inclusion = stored_log.hashes(ranges[number], nodes)
            entry = next((entry for entry in reversed(shown) if entry.shown_by(number)), None)
            commitment, opened = None, None
            if entry is not None:
                keys, opening = entry.keys, self.opening(entry.keys)
                commitment = keys.commitment(opening)
                opened = (keys, opening) if entry.shown_in == number else None
            proof = stored_map.prove(subtrees, index)
            answers.append(EpochAnswer(each.epoch, inclusion, proof, commitment, opened).encode())
        return answers

    async def disclose(self, uow: UnitOfWork, account_id: UUID) -> AsyncIterator[ExportedRow]:
        """Yields the account's rows in the map, for a legal export."""
        index, _ = self.index(user_of(account_id))
        async for row in store.at_index(uow, index):
            yield row

    async def _newest(self, uow: UnitOfWork) -> StoredEpoch:
        newest = await store.newest(uow)
        if newest is None:
            raise DirectoryUnavailable
        self.check_ours(newest)
        return newest

    def check_ours(self, newest: StoredEpoch | None) -> None:
        """Raises DirectoryUnavailable if the log has another key than ours: proofs would not hold."""
        if newest is not None and newest.log_key != self.secrets.public.log:
            raise DirectoryUnavailable

    def index(self, user: str) -> tuple[bytes, bytes]:
        """Returns where an account stands in the map (32 bytes), and the VRF's proof of it (80 bytes)."""
        proof = vrf.prove(self.secrets.vrf, user.encode())
        return vrf.output(proof)[:INDEX_LENGTH], proof

    def opening(self, keys: AccountKeys) -> bytes:
        """Returns what opens the map's commitment to a version, 32 bytes: for whoever may see the keys."""
        return hmac.digest(self.secrets.opening, _OPENING_LABEL + keys.digest, "sha256")[:OPENING_LENGTH]
