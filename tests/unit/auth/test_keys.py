"""Signing keys: the newest signs, all are published, and a running process notices changes of the folder."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from features.auth.keys import SIGNS_AFTER, NoSigningKey, SigningKeys, ensure_key, generate_key, rotate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEEP = timedelta(minutes=20)


def test_an_empty_folder_says_how_to_make_a_key(tmp_path: Path) -> None:
    with pytest.raises(NoSigningKey, match="keys rotate"):
        SigningKeys(tmp_path / "none").newest()


def test_a_first_key_is_made_once(tmp_path: Path) -> None:
    ensure_key(tmp_path, NOW)
    ensure_key(tmp_path, NOW + timedelta(days=1))
    assert len(list(tmp_path.iterdir())) == 1


def test_only_the_owner_can_read_a_private_key(tmp_path: Path) -> None:
    kid = generate_key(tmp_path / "keys", NOW)
    assert (tmp_path / "keys" / f"{kid}.pem").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_a_running_process_signs_with_a_new_key_and_publishes_both(tmp_path: Path) -> None:
    old = generate_key(tmp_path, NOW)
    keys = SigningKeys(tmp_path)
    assert keys.newest()[0] == old
    new, removed = rotate(tmp_path, NOW + timedelta(minutes=1), keep=KEEP)
    assert removed == []
    assert keys.newest()[0] == new
    assert list(keys.public_keys()) == [old, new]


def test_a_new_key_is_published_before_it_signs(tmp_path: Path) -> None:
    old = generate_key(tmp_path, NOW)
    new, _ = rotate(tmp_path, datetime.now(UTC), keep=KEEP)
    keys = SigningKeys(tmp_path)
    assert keys.newest()[0] == old
    assert list(keys.public_keys()) == [old, new]
    (tmp_path / f"{old}.pem").unlink()  # it leaked
    assert SigningKeys(tmp_path).newest()[0] == new


def test_a_key_that_another_process_made_a_moment_ago_is_found_by_its_name(tmp_path: Path) -> None:
    generate_key(tmp_path, NOW)
    keys = SigningKeys(tmp_path)
    keys.refresh()
    new = generate_key(tmp_path, NOW + timedelta(minutes=1))
    assert keys.public_key(new) is not None
    assert keys.public_key("20300101T000000000000Z") is None


def test_rotation_keeps_a_key_while_tokens_signed_with_it_live(tmp_path: Path) -> None:
    first = generate_key(tmp_path, NOW)
    second, removed = rotate(tmp_path, NOW + timedelta(days=30), keep=KEEP)
    assert removed == []  # the first key signs until the second does
    third, removed = rotate(tmp_path, NOW + timedelta(days=30) + SIGNS_AFTER + KEEP + timedelta(seconds=1), keep=KEEP)
    assert removed == [first]
    assert list(SigningKeys(tmp_path).public_keys()) == [second, third]


def test_a_removed_key_is_forgotten(tmp_path: Path) -> None:
    gone = generate_key(tmp_path, NOW)
    generate_key(tmp_path, NOW + timedelta(minutes=1))
    keys = SigningKeys(tmp_path)
    assert gone in keys.public_keys()
    (tmp_path / f"{gone}.pem").unlink()
    assert gone not in keys.public_keys()


def test_a_key_of_another_kind_is_refused_by_name(tmp_path: Path) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "wrong.pem").write_bytes(pem)
    with pytest.raises(NoSigningKey, match=r"wrong\.pem"):
        SigningKeys(tmp_path).newest()
