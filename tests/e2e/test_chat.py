"""`entativa chat` in two terminals: the first three of the README's lines."""

import json
from pathlib import Path

from tests.e2e.record_chat import asciicast, record
from tests.e2e.running import RunningPlatform


def test_two_people_talk_and_found_a_group(platform: RunningPlatform, tmp_path: Path) -> None:
    platform.succeed("demo")
    output = record(platform, tmp_path)
    header, *events = map(json.loads, asciicast(output, "A talk").splitlines())
    assert header["version"] == 2
    assert "".join(text for _, _, text in events) == b"".join(data for _, data in output).decode()
    assert [at for at, _, _ in events] == sorted(at for at, _, _ in events)
