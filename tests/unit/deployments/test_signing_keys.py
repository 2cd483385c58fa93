"""How the signing keys of a cluster come to its nodes, and how they are replaced."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cluster.local.processes import ServiceError
from deployments.signing_keys import new_keys, rotated, variable_line, write_keys
from features.auth.keys import SIGNS_AFTER, SigningKeys

NOW = datetime.now(UTC)


def variable(text: str) -> str:
    return text.strip().partition("=")[2].strip("'")


def test_every_node_signs_with_the_same_key(tmp_path: Path) -> None:
    line = variable_line(new_keys(["entativa", "vignette"], NOW))
    nodes = [tmp_path / "one", tmp_path / "two"]
    for node in nodes:
        write_keys(node, variable(line))
        write_keys(node, variable(line))
    (first, _), (second, _) = (SigningKeys(node / "entativa").newest() for node in nodes)
    assert first == second
    assert SigningKeys(nodes[0] / "vignette").newest()[0] in SigningKeys(nodes[1] / "vignette").public_keys()
    assert all(file.stat().st_mode & 0o077 == 0 for file in nodes[0].glob("*/*.pem"))


def test_a_new_key_is_published_before_it_signs(tmp_path: Path) -> None:
    text = f"A=1\n{variable_line(new_keys(['entativa'], NOW))}\nB=2\n"
    write_keys(tmp_path, variable(text.splitlines()[1]))
    old, _ = SigningKeys(tmp_path / "entativa").newest()

    after = rotated(text, NOW)

    assert after.splitlines()[0::2] == ["A=1", "B=2"]
    write_keys(tmp_path, variable(after.splitlines()[1]))
    keys = SigningKeys(tmp_path / "entativa")
    assert keys.newest()[0] == old, "other nodes may not know the new one yet"
    assert len(keys.public_keys()) == 2


def test_a_second_rotation_drops_the_key_before_the_last(tmp_path: Path) -> None:
    long_ago = NOW - timedelta(days=60)
    first = f"{variable_line(new_keys(['entativa'], long_ago))}\n"
    second = rotated(first, long_ago + timedelta(days=30))
    third = rotated(second, NOW - SIGNS_AFTER)
    for text, count in ((first, 1), (second, 2), (third, 2)):
        write_keys(tmp_path, variable(text))
        assert len(list(tmp_path.glob("entativa/*.pem"))) == count
    keys = SigningKeys(tmp_path / "entativa")
    assert keys.newest()[0] == max(keys.public_keys())


@pytest.mark.parametrize("text", ["", "{", '{"entativa": "key"}'])
def test_what_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ServiceError, match="ENTATIVA_SIGNING_KEYS"):
        write_keys(tmp_path, text)


def test_a_file_without_keys_cannot_be_rotated() -> None:
    with pytest.raises(ServiceError, match="ENTATIVA_SIGNING_KEYS"):
        rotated("ENTATIVA_HOME=/var/lib/entativa\n", NOW)
