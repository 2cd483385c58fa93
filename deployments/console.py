"""How the command line shows its work on a terminal. Lines are never broken: addresses can be copied whole."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

console = Console(stderr=True, highlight=False, soft_wrap=True)

Show = Callable[[str], None]
"""Says how far a step is."""


@contextmanager
def step(what: str) -> Iterator[Show]:
    """Show that something runs, how far it is, and in the end how long it took or that it failed."""
    begun = time.monotonic()
    try:
        with console.status(what) as status:
            yield lambda progress: status.update(f"{escape(what)}: {escape(progress)}")
    except Exception:
        console.print(f"[red]failed[/]  {escape(what)}")
        raise
    console.print(f"[green]done[/]    {escape(what)} ({time.monotonic() - begun:.1f} s)")
