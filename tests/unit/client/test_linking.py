"""What passes between a device and a new one: a code, and the recent history."""

from dataclasses import replace
from pathlib import Path

import pytest
from nacl.public import PrivateKey

from client.linking import LinkCode, export_history, import_history
from client.storage import Database
from crypto.identity import IdentityKeyPair
from tests.unit.client.test_messaging import BOB, CONVERSATION, RANDOM
from tests.unit.client.test_timeline import Talk

EPHEMERAL = PrivateKey.generate()
CODE = LinkCode(
    "1" * 32, IdentityKeyPair.generate(RANDOM).public.encode(), bytes(EPHEMERAL.public_key), bytes(range(32))
)


def test_a_code_is_read_as_it_was_shown_also_over_several_lines() -> None:
    text = CODE.encode()
    assert LinkCode.decode(f" {text[:40]}\n  {text[40:]}\n") == CODE
    for wrong in ("", "x", text[:60], text.replace("link", "luck"), text[:-1], "entativa-link:ä"):
        with pytest.raises(ValueError):
            LinkCode.decode(wrong)


def test_other_keys_have_other_digits() -> None:
    others = [replace(CODE, ephemeral_key=bytes(32)), replace(CODE, identity_key=CODE.identity_key[:-1] + b"x")]
    digits = {each.digits() for each in (CODE, *others)}
    assert len(digits) == 3
    assert all(len(each) == 23 for each in digits)
    assert CODE.digits() == replace(CODE, secret=b"").digits()


def test_a_box_is_opened_with_the_code_only() -> None:
    box = CODE.seal(b"history")
    assert CODE.open(bytes(EPHEMERAL), box) == b"history"
    wrong = replace(CODE, secret=bytes(32))
    for code, key, sealed in (
        (wrong, bytes(EPHEMERAL), box),
        (CODE, bytes(PrivateKey.generate()), box),
        (CODE, bytes(EPHEMERAL), wrong.seal(b"history")),
        (CODE, bytes(EPHEMERAL), b""),
    ):
        with pytest.raises(ValueError):
            code.open(key, sealed)


def test_the_newest_messages_are_told_for_which_there_is_room(tmp_path: Path) -> None:
    talk = Talk(tmp_path)
    for count in range(40):
        talk.ada.write(CONVERSATION, RANDOM.random_bytes(100).hex() + f" {count}", talk.server.now)
        talk.server.now += 1
    talk.exchange()
    talk.writing(talk.bob).react(talk.shown(talk.bob)[-1].number, "👍")
    talk.writing(talk.bob).set_timer(CONVERSATION, 60)
    talk.exchange()
    new = Database(tmp_path / "new.db", bytes(32))
    for room, expected in ((3_000, range(5, 25)), (60_000, range(40, 41))):
        encoded = export_history(talk.databases[0], room)
        assert len(encoded) <= room
        import_history(new, encoded)
        texts = new.rows("select text from messages order by seq")
        assert len(texts) in expected
        assert [text for (text,) in texts] == [each.text for each in talk.shown(talk.ada)][-len(texts) :]
    assert new.rows("select id, peer, expires_in_s, read = (select max(number) from messages) from conversations") == [
        (CONVERSATION, BOB, 60, 1)
    ]
    assert new.rows("select account_id, emoji from reactions") == [(BOB, "👍")]
    for damaged in (b"", encoded[:-9], b"x\x9c"):
        with pytest.raises(ValueError):
            import_history(new, damaged)
    for database in (*talk.databases, new):
        database.close()
