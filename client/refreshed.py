"""What the server has for all devices of an account, and this device reads anew when it has connected."""

from abc import ABC, abstractmethod

from client.api import ApiError, NoResponse


class Refreshed(ABC):
    """Reads it at the next `step` after each `look`."""

    def __init__(self) -> None:
        self._looks = False

    def look(self) -> None:
        """There may be something new."""
        self._looks = True

    async def step(self) -> None:
        """Reads what may be new; what the server cannot say now is asked for again. Raises SignedOut."""
        if not self._looks:
            return
        self._looks = False
        try:
            await self._refresh()
        except NoResponse:
            self._looks = True
        except ApiError:
            return

    @abstractmethod
    async def _refresh(self) -> None: ...
