"""What goes on between an account's device and the platform while it runs: requests, the socket, and files."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from client.api import ApiError, MessagingApi, NoResponse
from client.api.messaging import pushed_item
from client.attachments import Transfers
from client.invitations import Invitations
from client.messaging import Messenger
from client.naming import Naming
from client.realtime import Event, RealtimeClient, RequestRefused, Signal, Ticket, TicketUnavailable
from client.realtime import NoResponse as RealtimeNoResponse
from client.refreshed import Refreshed

_FETCH_S = 60.0
"""How often the inbox is read where the socket says nothing."""
_RETRY_S = 2.0
_TYPING_MS = 3_000
"""How often at most the server is told that the user types: it passes on no more."""


class Exchange:
    """One task runs it; its other methods are called from tasks of the same event loop."""

    def __init__(
        self,
        api: MessagingApi,
        transfers: Transfers,
        naming: Naming,
        invitations: Invitations,
        refreshed: Sequence[Refreshed],
        clock: Callable[[], int],
        register: Callable[[], Awaitable[None]],
        publish: Callable[[], None],
    ) -> None:
        """`clock`: milliseconds since 1970. `register` lets the session act for this device; `publish` shows the user
        what has changed."""
        self._api = api
        self._transfers = transfers
        self._naming = naming
        self._invitations = invitations
        self._refreshed = (invitations, *refreshed)
        self._clock = clock
        self._register = register
        self._publish = publish
        self._waked = asyncio.Event()
        self._moving = asyncio.Event()
        self._looks = asyncio.Event()
        self._realtime: RealtimeClient | None = None
        self._typed: dict[str, int] = {}

    def wake(self) -> None:
        """There is something to send."""
        self._waked.set()

    def move_files(self) -> None:
        """There are files to send or to delete."""
        self._moving.set()

    async def typing(self, conversation_id: str, in_group: bool) -> None:
        """The user types: tells the others, unless there is no socket, or it was told just before."""
        now, last = self._clock(), self._typed.get(conversation_id)
        if self._realtime is None or (last is not None and 0 <= now - last < _TYPING_MS):
            return
        self._typed[conversation_id] = now
        what = "group_typing" if in_group else "typing"
        with contextlib.suppress(RealtimeNoResponse, RequestRefused):
            await self._realtime.request(what, {"conversation_id": str(UUID(conversation_id))})

    async def run(self, messenger: Messenger) -> None:
        """Sends and receives until it is cancelled. Raises SignedOut, DeviceRemoved, RealtimeClosed where the session
        was ended."""
        work, listen = self._work(messenger), self._listen(messenger)
        tasks = [asyncio.create_task(each) for each in (work, listen, self._refresh(), self._move_files())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _work(self, messenger: Messenger) -> None:
        while True:
            self._waked.clear()
            now = self._clock()
            request = messenger.next_request(now)
            self._publish()
            if request is None:
                if await self._naming.step():
                    self._waked.set()
                await self._sleep(messenger, now)
                continue
            try:
                response = await self._api.perform(request)
            except NoResponse:
                messenger.failed(request, self._clock())
            except ApiError:  # the session does not act for this device any more
                with contextlib.suppress(ApiError, NoResponse):
                    await self._register()
                messenger.failed(request, self._clock())
            else:
                messenger.handle(request, response, self._clock())

    async def _sleep(self, messenger: Messenger, now: int) -> None:
        """Until somebody has something to do, or it is time to try again."""
        until = messenger.next_at(now)
        try:
            async with asyncio.timeout(_FETCH_S if until is None else min(_FETCH_S, (until - now) / 1000)):
                await self._waked.wait()
        except TimeoutError:
            if until is None:
                messenger.fetch()

    async def _refresh(self) -> None:
        """Beside what is sent: a list may have many pages."""
        while True:
            self._looks.clear()
            for each in self._refreshed:
                await each.step()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FETCH_S):
                    await self._looks.wait()

    async def _listen(self, messenger: Messenger) -> None:
        def connected() -> None:
            messenger.connected()
            for each in self._refreshed:
                each.look()
            self._looks.set()
            self._waked.set()

        async with RealtimeClient(self._ticket, on_connected=connected) as realtime:
            self._realtime = realtime
            async for received in realtime:
                match received:
                    case Signal("message", data):
                        try:
                            messenger.pushed(pushed_item(data))
                        except (KeyError, TypeError, ValueError):  # too large for a signal
                            messenger.fetch()
                    case Signal("keys_low", {"number": messenger.address.device}):
                        messenger.keys_low()
                    case Signal("devices_changed", {"account_id": str(account_id)}):
                        with contextlib.suppress(ValueError):
                            messenger.devices_changed(UUID(account_id).hex)
                    case Signal("group_join_requested"):
                        self._invitations.look()
                        self._looks.set()
                    case Signal("typing", {"conversation_id": str(conversation_id), "account_id": str(account_id)}):
                        with contextlib.suppress(ValueError):
                            messenger.peer_typing(UUID(conversation_id).hex, UUID(account_id).hex)
                            self._publish()
                    case Event(kind="devices"):
                        messenger.devices_changed(messenger.address.user)
                        messenger.fetch()  # is refused if it is this device that was removed
                    case _:
                        continue
                self._waked.set()

    async def _ticket(self) -> Ticket:
        try:
            return await self._api.ticket()
        except (ApiError, NoResponse) as error:
            raise TicketUnavailable from error

    async def _move_files(self) -> None:
        while True:
            self._moving.clear()
            try:
                if not await self._transfers.step():
                    await self._moving.wait()
            except NoResponse:
                await asyncio.sleep(_RETRY_S)
