"""Tickets and the directory of hosts, in a real Redis."""

import asyncio
from random import Random
from uuid import UUID

import pytest

from features.errors import Unavailable
from features.identity import Identity
from features.realtime.policy import RealtimePolicy
from features.realtime.service import RealtimeService
from features.realtime.store import HostDirectory, ListedHost, TicketHolder, TicketProblem, TicketStore
from tests.support.realtime_harness import BRAND, RealtimeHarness

IDENTITY = Identity(UUID(int=1), UUID(int=2))


def service(harness: RealtimeHarness) -> RealtimeService:
    return RealtimeService(RealtimePolicy(), harness.tickets, HostDirectory(harness.redis, BRAND), Random(1))


async def test_a_ticket_stands_for_its_device_session_once(harness: RealtimeHarness) -> None:
    directory = HostDirectory(harness.redis, BRAND)
    await directory.announce(ListedHost("a", "ws://a/realtime", 3), 30)
    admission = await service(harness).admit(IDENTITY)
    assert admission.url == "ws://a/realtime"
    assert await harness.tickets.redeem(admission.ticket) == TicketHolder(
        str(IDENTITY.account_id), str(IDENTITY.session_id)
    )
    assert await harness.tickets.redeem(admission.ticket) is TicketProblem.REPLAYED
    assert await TicketStore(harness.redis, "another brand").redeem(admission.ticket) is TicketProblem.INVALID


async def test_tickets_that_come_at_the_same_time_are_told_apart_and_each_is_used_once(
    harness: RealtimeHarness,
) -> None:
    holders = [TicketHolder(f"u{number}", "d") for number in range(600)]
    tickets = [await harness.tickets.issue(holder, 30) for holder in holders]
    came = [*tickets, "never issued", *tickets]
    redeemed = await asyncio.gather(*(harness.tickets.redeem(ticket) for ticket in came))
    replayed = [TicketProblem.REPLAYED] * len(tickets)
    assert redeemed == [*holders, TicketProblem.INVALID, *replayed]


async def test_an_expired_ticket_is_invalid(harness: RealtimeHarness) -> None:
    ticket = await harness.tickets.issue(TicketHolder("u", "d"), 1)
    await asyncio.sleep(1.2)
    assert await harness.tickets.redeem(ticket) is TicketProblem.INVALID


async def test_redis_never_holds_a_usable_ticket(harness: RealtimeHarness) -> None:
    ticket = await harness.tickets.issue(TicketHolder("u", "d"), 30)
    keys = b" ".join([key async for key in harness.redis.scan_iter()])
    assert ticket.encode() not in keys


async def test_clients_go_to_hosts_that_are_listed_and_prefer_empty_ones(harness: RealtimeHarness) -> None:
    directory = HostDirectory(harness.redis, BRAND)
    await directory.announce(ListedHost("full", "ws://full", 1000), 30)
    await directory.announce(ListedHost("empty", "ws://empty", 1), 30)
    await directory.announce(ListedHost("left", "ws://left", 0), 30)
    await directory.withdraw("left")
    admissions = service(harness)
    urls = [(await admissions.admit(IDENTITY)).url for _ in range(40)]
    assert set(urls) == {"ws://full", "ws://empty"}
    assert urls.count("ws://empty") > urls.count("ws://full")


async def test_without_a_host_or_without_redis_the_error_says_so(harness: RealtimeHarness) -> None:
    with pytest.raises(Unavailable) as caught:
        await service(harness).admit(IDENTITY)
    assert caught.value.code == "no_realtime_host"
