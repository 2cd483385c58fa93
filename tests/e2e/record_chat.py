"""Records `entativa chat` as its users see it: docs/chat.cast (asciicast version 2) and a picture of the last screen.

Two people talk in two terminals on a platform of their own; the first one's terminal is what is recorded. `make
recording` writes both files anew.
"""

import json
import os
import pty
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path
from struct import pack
from termios import TIOCSWINSZ
from typing import Any

from deployments.demo import PASSWORD
from tests.e2e.running import COMMANDS, RunningPlatform, new_home

DOCS = Path(__file__).parents[2] / "docs"
TITLE = "entativa chat: two people and a group, end-to-end encrypted"
COLUMNS, ROWS = 104, 28
_PASSPHRASE = "the passphrase of this device"
_KEY_S, _READ_S = 0.06, 1.5
"""Between two keys, and after what is to be read."""
_ESCAPES = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[()][A-Z0-9]|[=>78])")
_ENTER, _ESCAPE = "\r", "\x1b"
_CTRL_Q, _CTRL_T = "\x11", "\x14"


class Terminal:
    """A program in a terminal of its own. What it writes is kept with the seconds since its start."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        self.output: list[tuple[float, bytes]] = []
        self._read_to = 0
        self._begun = time.monotonic()
        self._terminal, programs = pty.openpty()
        ioctl(programs, TIOCSWINSZ, pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._process = subprocess.Popen(
            command, stdin=programs, stdout=programs, stderr=programs, env=environment, start_new_session=True
        )
        os.close(programs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._terminal, 1 << 16)
            except OSError:  # the program has ended
                return
            self.output.append((time.monotonic() - self._begun, data))

    def expect(self, text: str) -> None:
        """Waits until the program has written this text since the last one that was expected. Raises TimeoutError."""
        wanted, deadline = text.encode(), time.monotonic() + 120
        while wanted not in (new := self._written()[self._read_to :]):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise TimeoutError(
                    f"{text!r} was never shown; the end of what was: {new[-500:].decode(errors='replace')}"
                )
            time.sleep(0.05)
        self._read_to += new.index(wanted) + len(wanted)

    def _written(self) -> bytes:
        """All that was written, without the terminal's commands."""
        return _ESCAPES.sub(b"", b"".join(data for _, data in self.output))

    def type(self, keys: str) -> None:
        """Presses one key after the other; an escape sequence is one key."""
        for key in [keys] if keys.startswith("\x1b") else keys:
            os.write(self._terminal, key.encode())
            time.sleep(_KEY_S)

    def line(self, text: str) -> None:
        self.type(text + _ENTER)

    def wait(self) -> None:
        """Until the program has ended."""
        self._process.wait(60)
        self._reader.join(10)
        os.close(self._terminal)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()


@contextmanager
def _chatting(
    platform: RunningPlatform, folder: Path, *arguments: str, settings: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ENTATIVA_", "RAY_"))}
    environment |= platform.settings | {
        "ENTATIVA_HOME": str(platform.home),
        "ENTATIVA_CHAT_DATA": str(folder),
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
    }
    terminal = Terminal([*COMMANDS["module"], "chat", *arguments], {**environment, **(settings or {})})
    try:
        yield terminal
    finally:
        terminal.stop()


def _log_in(terminal: Terminal) -> None:
    terminal.expect("Password of")
    terminal.line(PASSWORD)
    for _ in range(2):
        terminal.expect("assphrase")
        terminal.line(_PASSPHRASE)


def record(platform: RunningPlatform, folder: Path) -> list[tuple[float, bytes]]:
    """Has Ada and Bruno talk; returns what Ada's terminal showed. Raises TimeoutError for what never came."""
    with (
        _chatting(platform, folder / "bruno", "bruno", "ada", "--passphrase") as bruno,
        _chatting(platform, folder / "ada", "ada", "bruno", "--passphrase") as ada,
    ):
        _log_in(bruno)
        bruno.expect("encrypted conversations")
        _log_in(ada)
        ada.expect("encrypted conversations")
        _talk(ada, bruno)
        bruno.type(_CTRL_Q)
        ada.type(_CTRL_Q)
        ada.wait()
        bruno.wait()
    return ada.output


def _talk(ada: Terminal, bruno: Terminal) -> None:
    time.sleep(_READ_S)
    ada.line("Shall we go to the sea on Saturday?")
    bruno.expect("to the sea")
    time.sleep(_READ_S)
    bruno.line("Yes! Which train?")
    ada.expect("Which train")
    time.sleep(_READ_S)
    ada.type(_CTRL_T)
    ada.expect("afety number")
    time.sleep(2 * _READ_S)
    ada.type(_ESCAPE)
    time.sleep(_READ_S)
    ada.line('/group new "The trip" bruno')
    ada.expect("The trip")
    bruno.expect("The trip")
    time.sleep(_READ_S)
    ada.line("9:14, platform 3. Bring a hat.")
    ada.expect("Bring a hat")
    time.sleep(2 * _READ_S)


def asciicast(output: Sequence[tuple[float, bytes]], title: str) -> str:
    """What a terminal showed as an asciicast file, version 2 (docs.asciinema.org/manual/asciicast/v2). Pauses of more
    than two seconds are shortened by players, as the header says."""
    header: dict[str, Any] = {"version": 2, "width": COLUMNS, "height": ROWS, "title": title, "idle_time_limit": 2.0}
    lines = [json.dumps(header)]
    rest = b""
    for at, data in output:
        text, rest = _whole_characters(rest + data)
        lines.append(json.dumps([round(at, 3), "o", text], ensure_ascii=False))
    return "".join(f"{line}\n" for line in lines)


def _whole_characters(data: bytes) -> tuple[str, bytes]:
    """The text, and the bytes of a character at its end that is not whole."""
    try:
        return data.decode(), b""
    except UnicodeDecodeError as error:
        return data[: error.start].decode(), data[error.start :]


def main() -> None:
    """Starts a platform, records, and writes the files."""
    with new_home() as platform, tempfile.TemporaryDirectory() as name:
        platform.succeed("up")
        platform.succeed("demo")
        output = record(platform, Path(name))
        (DOCS / "chat.cast").write_text(asciicast(output, TITLE))
        picture = {
            "TEXTUAL_SCREENSHOT": "4",  # seconds after its start: then the program takes it, and ends
            "TEXTUAL_SCREENSHOT_LOCATION": str(DOCS),
            "TEXTUAL_SCREENSHOT_FILENAME": "chat.svg",
        }
        with _chatting(platform, Path(name) / "ada", "ada", "bruno", settings=picture) as ada:
            ada.expect("assphrase")
            ada.line(_PASSPHRASE)
            ada.wait()
    print(f"{DOCS / 'chat.cast'}, {DOCS / 'chat.svg'}", file=sys.stderr)


if __name__ == "__main__":
    main()
