"""Notes on who was looked at: a line in a log of the installation for each command that shows what people have sent or
what authorities get."""

import contextlib

from brands.catalogue import BRANDS
from cluster.local.installation import Installation
from cluster.logs import configure_logs, logger


def note_access(brand: str, command: str, **about: object) -> None:
    """Writes a line to `logs/COMMAND.log` in the installation's folder. Call it before anything is shown."""
    path = Installation(sorted(BRANDS)).home / "logs" / f"{command}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file, contextlib.redirect_stderr(file):
        configure_logs(brand=brand, process=command)
        logger(__name__).info(command.replace("-", " "), **about)
