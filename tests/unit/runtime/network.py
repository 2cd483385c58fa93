"""Time that stands still and a network of the test's choosing: asyncio code runs step by step, and always alike."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
_MAX_TURNS = 1000


class SteppedLoop(asyncio.SelectorEventLoop):
    """An event loop that runs until nothing more happens by itself, and whose clock the test sets."""

    def __init__(self, expected: tuple[type[BaseException], ...]) -> None:
        """Tasks may end in one of the ``expected`` errors; any other is raised by ``settle``."""
        self.now = 1000.0
        self._stirred = False
        self._expected = expected
        self._errors: list[BaseException] = []
        super().__init__()
        self.set_task_factory(self._make_task)
        self.set_exception_handler(lambda _loop, context: self._error(context.get("exception")))

    def time(self) -> float:
        return self.now

    monotonic = time
    """With it the loop stands in for the module ``time``."""

    def call_soon(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.Handle:
        self._stirred = True
        return super().call_soon(callback, *args, context=context)

    def do(self, *actions: Callable[[], object]) -> None:
        """Does them inside the loop, and all that follows from them."""
        for action in actions:
            self.call_soon(action)
        self.settle()

    def settle(self) -> None:
        """Runs what is due until nothing is."""
        for _ in range(_MAX_TURNS):
            self.call_soon(self.stop)
            self._stirred = False
            self.run_forever()
            if not self._stirred:
                break
        else:
            raise AssertionError("it goes round in circles")
        if self._errors:
            raise self._errors.pop()

    def end(self) -> None:
        """Cancels what still runs."""
        for task in asyncio.all_tasks(self):
            task.cancel()
        self._errors.clear()
        self.settle()
        self.close()

    def _make_task(self, _loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coroutine, loop=self, **options)
        task.add_done_callback(lambda task: None if task.cancelled() else self._error(task.exception()))
        return task

    def _error(self, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, self._expected):
            self._errors.append(error)


@dataclass(eq=False)
class Passage:
    """A message or a database statement that has set out."""

    what: str
    waits_for: str
    """Name of the process or router that has to be awake for it to arrive; "" if that is the leader."""
    arrive: Callable[[], None]
    lose: Callable[[bool], None]
    """Its connection breaks. True: after it took effect, if it is a statement."""
    repeats: bool = True
    """Messages may arrive more than once, statements do not."""


class Network:
    """What has set out and not arrived: the test says what arrives when, how often, or never."""

    def __init__(self, loop: SteppedLoop) -> None:
        self._loop = loop
        self.under_way: list[Passage] = []

    def send(self, passage: Passage) -> None:
        self.under_way.append(passage)

    def arrive(self, passage: Passage, *, again: bool = False) -> None:
        """It arrives; with ``again`` it will do so once more if it is a message."""
        if not (again and passage.repeats):
            self.under_way.remove(passage)
        self._loop.do(passage.arrive)

    def lose(self, passage: Passage, *, late: bool = False) -> None:
        """It is lost; with ``late`` a statement has taken effect and nobody hears of it."""
        self.under_way.remove(passage)
        self._loop.do(lambda: passage.lose(late))

    async def statement(self, what: str, waits_for: str, act: Callable[[], T]) -> T:
        """The outcome of a database statement, which takes effect when it arrives. Raises OSError if it is lost."""
        outcome: asyncio.Future[T] = self._loop.create_future()

        def arrive() -> None:
            try:
                result = act()
            except Exception as error:  # noqa: BLE001 - handed to who waits
                if not outcome.done():
                    outcome.set_exception(error)
            else:
                if not outcome.done():
                    outcome.set_result(result)

        def lose(late: bool) -> None:
            if late:
                with contextlib.suppress(Exception):
                    act()
            if not outcome.done():
                outcome.set_exception(OSError("the database connection broke"))

        self.send(Passage(what, waits_for, arrive, lose, repeats=False))
        return await outcome
