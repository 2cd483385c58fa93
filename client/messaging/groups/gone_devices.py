"""Takes devices of the own account out of groups that the account has removed. It follows from what is stored, not from
the event, so that it is done wherever the process ended."""

from client.messaging.directory import Directory
from client.messaging.groups.states import GroupState, GroupStates, leaves_of
from client.messaging.groups.wishes import RemoveDevices, Wishes
from client.state import State
from client.storage import Database
from crypto.sessions import DeviceAddress

_CHECKED = "groups_have_devices_of"
"""The number of the own keys (crypto.directory.AccountKeys) for which all groups were checked."""


class GoneDevices:
    """Callers hold the transaction."""

    def __init__(
        self, database: Database, own: DeviceAddress, directory: Directory, states: GroupStates, wishes: Wishes
    ) -> None:
        self._own = own
        self._directory = directory
        self._states = states
        self._wishes = wishes
        self._state = State(database)

    def remove(self) -> None:
        """Takes devices out of all groups, if others than when that was last done are the account's."""
        known = self._directory.known(self._own.user)
        if known is None or self._state.find(_CHECKED) == known.keys.number:
            return
        for stored in self._states.all(GroupState.ACTIVE):
            self.remove_from(stored.id)
        self._state.put(_CHECKED, known.keys.number)

    def remove_from(self, group_id: str) -> None:
        """Takes devices out of a group that this device is in."""
        present = self._directory.devices(self._own.user)
        leaves = [each for each in leaves_of(self._states.open(group_id)) if each.user == self._own.user]
        gone = [each for each in leaves if each.device not in present and each != self._own]
        if present and gone:
            self._wishes.add(group_id, RemoveDevices(tuple(sorted(gone))))
