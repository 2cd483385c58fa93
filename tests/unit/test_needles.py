"""What the proof that servers know nothing looks for, it would find."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from urllib.parse import quote

import pytest

from tests.support.needles import Needles
from tests.support.process_memory import memory_of

NEEDLES = Needles({"text": "жtop secret", "key": bytes(range(200, 232))})


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("name", ["text", "key"])
def test_a_secret_is_found_in_every_encoding(name: str, place: int) -> None:
    secret = NEEDLES.secrets[name]
    raw = secret.encode() if isinstance(secret, str) else secret
    within = b"x" * place + raw + b"y" * (7 - place)
    for data in (within, within.hex().encode(), within.hex().upper().encode()):
        assert NEEDLES.within(data) == {name}
    for data in (b64encode(within), urlsafe_b64encode(within), b64encode(within).rstrip(b"=")):
        assert NEEDLES.within(b"a: " + data) == {name}
    if isinstance(secret, str):
        text = within.decode()
        for data in (json.dumps(text).encode(), text.encode("utf-16"), quote(text).encode()):
            assert NEEDLES.within(data) == {name}


def test_what_is_not_there_is_not_found() -> None:
    assert NEEDLES.within(os.urandom(100_000) + b"top  secret") == set()


def test_the_memory_of_a_process_is_read() -> None:
    program = "import hashlib, sys; key = hashlib.sha256(b'key').digest(); print(flush=True); sys.stdin.read()"
    needles = Needles({name: sha256(name.encode()).digest() for name in ("key", "other")})
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        blocks = memory_of(process.pid, needles.longest)
        assert set[str]().union(*(needles.within(block) for block in blocks)) == {"key"}
    assert list(memory_of(process.pid, needles.longest)) == []
