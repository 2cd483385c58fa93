"""How the command line shows its work on a terminal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape

from cluster.local.processes import ServiceError
from cluster.migrate import MigrationError

console = Console(stderr=True, highlight=False)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Show that something runs, then how long it took; a ServiceError ends the program with its message."""
    begun = time.monotonic()
    try:
        with console.status(what):
            yield
    except (ServiceError, MigrationError) as error:
        console.print(f"[red]failed[/]  {what}\n{escape(str(error))}")
        raise typer.Exit(1) from None
    console.print(f"[green]done[/]    {what} ({time.monotonic() - begun:.1f} s)")
