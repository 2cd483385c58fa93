"""What the server has for all devices of an account, and this device reads anew when it has connected."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable

from client.api import ApiError, NoResponse


class Refreshed(ABC):
    """Reads it at the next `step` after each `look`."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """`changed`: is told when it was read."""
        self._changed = changed
        self._looks = False
        self._one_at_a_time = asyncio.Lock()
        """What was read before a change must not undo it."""

    def look(self) -> None:
        """There may be something new."""
        self._looks = True

    async def step(self) -> None:
        """Reads what may be new; what the server cannot say now is asked for again. Raises SignedOut."""
        if not self._looks:
            return
        self._looks = False
        try:
            async with self._one_at_a_time:
                await self._refresh()
            self._changed()
        except NoResponse:
            self._looks = True
        except ApiError:
            return

    @abstractmethod
    async def _refresh(self) -> None: ...
