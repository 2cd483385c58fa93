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
from tests.integration.realtime.cell import BRAND, Cell

IDENTITY = Identity(UUID(int=1), UUID(int=2))


def service(cell: Cell) -> RealtimeService:
    return RealtimeService(RealtimePolicy(), cell.tickets, HostDirectory(cell.redis, BRAND), Random(1))


async def test_a_ticket_stands_for_its_device_session_once(cell: Cell) -> None:
    directory = HostDirectory(cell.redis, BRAND)
    await directory.announce(ListedHost("a", "ws://a/realtime", 3), 30)
    admission = await service(cell).admit(IDENTITY)
    assert admission.url == "ws://a/realtime"
    assert await cell.tickets.redeem(admission.ticket) == TicketHolder(
        str(IDENTITY.account_id), str(IDENTITY.session_id)
    )
    assert await cell.tickets.redeem(admission.ticket) is TicketProblem.REPLAYED
    assert await TicketStore(cell.redis, "another brand").redeem(admission.ticket) is TicketProblem.INVALID


async def test_an_expired_ticket_is_invalid(cell: Cell) -> None:
    ticket = await cell.tickets.issue(TicketHolder("u", "d"), 1)
    await asyncio.sleep(1.2)
    assert await cell.tickets.redeem(ticket) is TicketProblem.INVALID


async def test_redis_never_holds_a_usable_ticket(cell: Cell) -> None:
    ticket = await cell.tickets.issue(TicketHolder("u", "d"), 30)
    keys = b" ".join([key async for key in cell.redis.scan_iter()])
    assert ticket.encode() not in keys


async def test_clients_go_to_hosts_that_are_listed_and_prefer_empty_ones(cell: Cell) -> None:
    directory = HostDirectory(cell.redis, BRAND)
    await directory.announce(ListedHost("full", "ws://full", 1000), 30)
    await directory.announce(ListedHost("empty", "ws://empty", 1), 30)
    await directory.announce(ListedHost("left", "ws://left", 0), 30)
    await directory.withdraw("left")
    admissions = service(cell)
    urls = [(await admissions.admit(IDENTITY)).url for _ in range(40)]
    assert set(urls) == {"ws://full", "ws://empty"}
    assert urls.count("ws://empty") > urls.count("ws://full")


async def test_without_a_host_or_without_redis_the_error_says_so(cell: Cell) -> None:
    with pytest.raises(Unavailable) as caught:
        await service(cell).admit(IDENTITY)
    assert caught.value.code == "no_realtime_host"
