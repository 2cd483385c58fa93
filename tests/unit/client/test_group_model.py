"""The network of test_messaging_model with a group: its people write, come, go and change roles, while their devices
crash between any two steps. In the end all are in one epoch, and who was in the group when a message was accepted has
it once.
"""

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from client.messaging.contents import Rename
from client.messaging.groups.wishes import AddPeople, Leave, RemovePeople, SetRole, Wish
from crypto.mls import Role
from crypto.sessions import DeviceAddress
from tests.unit.client.test_messaging_model import ADA, BOB, DEVICE, EVE, Network, Phone

WISHES: tuple[Wish, ...] = (
    AddPeople((EVE,)),
    RemovePeople((EVE,)),
    AddPeople((BOB, EVE)),
    SetRole(BOB, Role.ADMIN),
    SetRole(BOB, Role.MEMBER),
)


class GroupNetwork(Network):
    def prepare(self) -> None:
        self.calm_down()  # devices publish KeyPackages before anybody adds them
        self.group = self.phones[0].messenger.groups.create("Group", (BOB, EVE), self.server.now)
        self.said: dict[DeviceAddress, dict[int, str]] = {}

    def has_group(self, phone: Phone) -> bool:
        return bool(phone.database.rows("select 1 from groups where id = ?", self.group))

    def in_group(self, phone: Phone, what: Callable[[], object]) -> None:
        if self.has_group(phone):
            self.do(phone, what)

    @rule(device=DEVICE)
    def somebody_writes_to_the_group(self, device: int) -> None:
        phone = self.phone(device)
        self.count += 1
        text = f"to all {self.count}"
        self.in_group(phone, lambda: phone.messenger.write(self.group, text, self.server.now))

    @rule(device=DEVICE, wish=st.sampled_from(WISHES))
    def somebody_changes_the_group(self, device: int, wish: Wish) -> None:
        phone = self.phone(device)
        self.in_group(phone, lambda: phone.messenger.groups.wish(self.group, wish))

    @rule()
    def eve_leaves(self) -> None:
        phone = next(each for each in self.phones if each.address.user == EVE)
        states = phone.database.rows("select state from groups where id = ?", self.group)
        if states == [("active",)]:
            self.do(phone, lambda: phone.messenger.groups.wish(self.group, Leave()))

    @rule(device=DEVICE)
    def ada_renames_the_group(self, device: int) -> None:
        phone = self.phone(device)
        self.count += 1
        name = f"Group {self.count}"
        if phone.address.user == ADA:
            self.in_group(phone, lambda: phone.messenger.send(self.group, Rename(name), self.server.now))

    def calm_down(self) -> None:
        super().calm_down()
        for phone in self.phones:
            for table in ("group_incoming", "group_submissions", "group_wishes"):
                assert phone.database.rows(f"select * from {table}") == [], table

    def check(self, phone: Phone) -> None:
        super().check(phone)
        group = self.server.groups.groups[self.group]
        rows = phone.database.rows(
            "select account_id, device, text, problem, seq from messages where conversation_id = ?", self.group
        )
        problems = [row for row in rows if row[3] is not None and row[:2] != phone.address]
        assert not problems, problems
        # What was said while it was there is there once, and nothing else.
        present = {each.address: each for each in self.phones}
        texts = {
            answer.seq
            for sender, number, answer, readers in group.sent
            if sender in present and number in present[sender].texts and phone.address in readers
        }
        assert sorted(row[4] for row in rows if row[:2] != phone.address and row[:2] in present) == sorted(texts)
        # All are in the same epoch, and know the same of the group.
        state = phone.database.rows("select state, epoch from groups where id = ?", self.group)
        if phone.address in group.leaves:
            assert state == [("active", group.epoch)]
            assert len({str(self.known(present[each])) for each in group.leaves}) == 1
        elif phone.address.user not in {address.user for address in group.leaves}:
            assert state in ([], [("left", state[0][1] if state else 0)])

    def known(self, phone: Phone) -> object:
        return (
            phone.database.rows("select account_id, role from group_members where group_id = ?", self.group),
            phone.database.rows("select username from conversations where id = ?", self.group),
        )


GroupNetwork.TestCase.settings = settings(max_examples=4, stateful_step_count=25, deadline=None)
TestGroupNetwork = GroupNetwork.TestCase
