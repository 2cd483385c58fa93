"""The map, handoffs and routers together, over a network that reorders, loses and repeats messages.

Everything that decides is real (leader, shard owner, mailboxes, deduplication table, handoff, call table).
`simulation` has the model
around it and the invariants; here is only what may happen.
"""

from __future__ import annotations

from enum import Enum, auto
from itertools import cycle

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.unit.runtime.processes import StartFailure
from tests.unit.runtime.simulation import ENTITIES, Simulation

PICK = st.integers(0, 11)
"""Chooses among what there is, modulo how much there is."""
NAMES = ["host-0", "host-1", "host-2", "router-1", "router-2"]
PACES = [0.05, 0.05, 2.5]
MAX_CALLS = 60
MAX_REJECTED = 3


class Fate(Enum):
    """What becomes of a passage in a wave of traffic."""

    ARRIVES = auto()
    ARRIVES_AND_STAYS = auto()
    STAYS = auto()
    IS_LOST = auto()
    IS_LOST_LATE = auto()


FATES = st.lists(st.sampled_from([Fate.ARRIVES] * 4 + list(Fate)), min_size=1, max_size=9)


class Runtime(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.simulation = Simulation()
        self.deposed = self.simulation.leader
        self.go_back = self.simulation.database.remember_map()
        self.backup = self.simulation.database.remember()

    def teardown(self) -> None:
        try:
            self.simulation.calm_down()
        finally:
            self.simulation.close()

    @invariant()
    def what_holds_at_any_time(self) -> None:
        self.simulation.check()

    # --- routers ------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.simulation.operations) < MAX_CALLS)
    @rule(
        calls=st.lists(st.tuples(st.sampled_from(ENTITIES), st.booleans()), min_size=1, max_size=4),
        router=st.integers(0, 1),
        timeout=st.sampled_from([1.0, 5.0, 1000.0, 1000.0]),
        fates=FATES,
        rejected=st.booleans(),
    )
    def call(
        self, calls: list[tuple[str, bool]], router: int, timeout: float, fates: list[Fate], rejected: bool
    ) -> None:
        """Perhaps the database rejects what the first of them writes, which is to harm its entity alone."""
        client = self.simulation.clients[router]
        names = [self.simulation.call(client, entity, write=write, timeout=timeout).name for entity, write in calls]
        if rejected and len(self.simulation.database.rejected) < MAX_REJECTED:
            self.simulation.database.rejected.add(names[0])
        client.send()
        self._wave(fates)

    @precondition(lambda self: len(self.simulation.operations) < MAX_CALLS)
    @rule(
        entity=st.sampled_from(ENTITIES),
        seconds=st.sampled_from([0.0, 0.2, 3.0, 45.0, 100.0]),
        cancelled=st.booleans(),
        fates=FATES,
        rejected=st.booleans(),
    )
    def plan(self, entity: str, seconds: float, cancelled: bool, fates: list[Fate], rejected: bool) -> None:
        """A timer is set, and perhaps cancelled by another router; or its turn can never be stored."""
        planner, other = self.simulation.clients
        name = self.simulation.plan(planner, entity, seconds=seconds, timeout=1000.0).name
        if rejected and len(self.simulation.database.rejected) < MAX_REJECTED:
            self.simulation.database.rejected.add(name)
        planner.send()
        self._wave(fates)
        if cancelled:
            self.simulation.unplan(other, entity, timeout=1000.0)
            other.send()
            self._wave(fates)

    @rule(pick=PICK, behind=st.integers(0, 3))
    def map_reaches_a_router(self, pick: int, behind: int) -> None:
        """Perhaps not the newest, perhaps an older one than it has."""
        routers = self.simulation.routers()
        view = self.simulation.views[max(0, len(self.simulation.views) - 1 - behind)]
        self.simulation.loop.do(lambda: routers[pick % len(routers)].follow(view))

    # --- the network --------------------------------------------------------------------------------------

    @rule(waves=st.lists(FATES, min_size=1, max_size=4), seconds=st.sampled_from([0.0, 0.01, 0.5, 3.0]))
    def traffic(self, waves: list[list[Fate]], seconds: float) -> None:
        for fates in waves:
            for client in self.simulation.clients:
                client.send()
            self._wave(fates)
        self.simulation.pass_time(seconds)

    def _wave(self, fates: list[Fate]) -> None:
        network = self.simulation.network
        for passage, fate in zip(list(network.under_way), cycle(fates), strict=False):
            match fate:
                case Fate.ARRIVES | Fate.ARRIVES_AND_STAYS:
                    network.arrive(passage, again=fate is Fate.ARRIVES_AND_STAYS)
                case Fate.IS_LOST | Fate.IS_LOST_LATE:
                    network.lose(passage, late=fate is Fate.IS_LOST_LATE)
                case Fate.STAYS:
                    pass

    # --- hosts --------------------------------------------------------------------------------------------

    @rule(but=st.sampled_from(["", *NAMES[:3]]))
    def hosts_beat(self, but: str) -> None:
        self.simulation.loop.do(*(process.beat for process in self.simulation.living() if process.name != but))

    @precondition(lambda self: self.simulation.living())
    @rule(pick=PICK, given_up=st.booleans())
    def host_stalls(self, pick: int, given_up: bool) -> None:
        """It is declared dead while it lives on, or is about to be."""
        living = self.simulation.living()
        living[pick % len(living)].stall()
        if given_up:
            self.simulation.look(self.simulation.leader)

    @precondition(lambda self: self.simulation.living())
    @rule(pick=PICK, restart=st.booleans())
    def host_dies(self, pick: int, restart: bool) -> None:
        living = self.simulation.living()
        self.simulation.loop.do(lambda: self.simulation.kill(living[pick % len(living)], restart=restart))

    @precondition(lambda self: self.simulation.processes)
    @rule(pick=PICK, waves=st.lists(FATES, max_size=3))
    def an_end_is_announced(self, pick: int, waves: list[list[Fate]]) -> None:
        """Of a process that lives, or ended long ago, or just now while Ray's head has no record of it yet. One that
        lives does not beat meanwhile, so that it would not hear that it was declared dead."""
        processes = self.simulation.processes[-6:]
        process = processes[pick % len(processes)]
        self.simulation.loop.do(lambda: self.simulation.announce_end(process.worker))
        for fates in waves:
            self._wave(fates)
            self.simulation.look(self.simulation.leader)
            self.simulation.loop.do(*(other.beat for other in self.simulation.living() if other is not process))

    @rule(failures=st.lists(st.sampled_from(StartFailure), max_size=3))
    def the_next_hosts_fail_to_start(self, failures: list[StartFailure]) -> None:
        self.simulation.start_failures = failures

    @rule()
    def hosts_tidy_up(self) -> None:
        self.simulation.loop.do(*(process.sweep for process in self.simulation.living()))

    # --- the coordinator ----------------------------------------------------------------------------------

    @rule()
    def leader_looks(self) -> None:
        self.simulation.look(self.simulation.leader)

    @rule(hosts=st.integers(1, 3), looks=st.integers(0, 2), waves=st.lists(FATES, min_size=1, max_size=3))
    def another_leads(self, hosts: int, looks: int, waves: list[list[Fate]]) -> None:
        """With another opinion on how many hosts there should be, so that shards move."""
        self.deposed = self.simulation.leader
        self.simulation.elect(hosts)
        for _ in range(looks):
            self.simulation.look(self.simulation.leader)
        for fates in waves:
            self.simulation.loop.do(*(process.beat for process in self.simulation.living()))
            self._wave(fates)

    @rule(version=st.sampled_from(["v1", "v2"]), rounds=st.integers(0, 8))
    def another_version_is_deployed(self, version: str, rounds: int) -> None:
        """Or the one before, in the middle of the update to this one."""
        self.deposed = self.simulation.leader
        self.simulation.deploy(version)
        for _ in range(rounds):
            self.simulation.go_on()

    @rule()
    def the_deposed_leader_looks(self) -> None:
        self.simulation.look(self.deposed)

    @rule()
    def the_map_is_backed_up(self) -> None:
        self.go_back = self.simulation.database.remember_map()

    @rule()
    def the_map_goes_back(self) -> None:
        """To a backup; the leader finds out when it looks."""
        self.go_back()
        self.simulation.go_on()

    @rule()
    def the_database_is_backed_up(self) -> None:
        self.backup = self.simulation.database.remember()

    @rule(awake=st.booleans())
    def the_database_goes_back(self, awake: bool) -> None:
        """With the map and all that was written since, or only that."""
        self.simulation.restore(self.backup)
        if awake:
            self.simulation.loop.do(*(process.beat for process in self.simulation.living()))

    # --- deep histories, cheaply --------------------------------------------------------------------------

    @rule(rounds=st.integers(1, 4), asleep=st.sets(st.sampled_from(NAMES), max_size=2), pace=st.sampled_from(PACES))
    def all_but_some_go_on(self, rounds: int, asleep: set[str], pace: float) -> None:
        for _ in range(rounds):
            self.simulation.go_on(asleep, pace)


Runtime.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestRuntimeModel = Runtime.TestCase
