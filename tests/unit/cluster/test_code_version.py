"""The version of the code: the same for the same sources wherever they lie, another after any change."""

from pathlib import Path

import pytest

from cluster.code_version import CODE_VERSION, code_on_disk


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for path in ("actors/one.py", "features/posts/two.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"# {path}\n")
    return tmp_path


def test_this_process_runs_what_is_on_disk() -> None:
    assert code_on_disk() == CODE_VERSION
    assert len(CODE_VERSION) == 12


@pytest.mark.parametrize(
    ("path", "text"), [("actors/one.py", "# another\n"), ("actors/three.py", ""), ("features/posts/one.py", "")]
)
def test_any_change_of_a_source_gives_another_version(checkout: Path, path: str, text: str) -> None:
    before = code_on_disk(checkout)
    (checkout / path).write_text(text)
    assert code_on_disk(checkout) != before


def test_a_source_that_moves_gives_another_version(checkout: Path) -> None:
    before = code_on_disk(checkout)
    (checkout / "actors/one.py").rename(checkout / "actors/renamed.py")
    assert code_on_disk(checkout) != before


def test_what_is_no_source_does_not_matter(checkout: Path) -> None:
    before = code_on_disk(checkout)
    (checkout / "actors/__pycache__").mkdir()
    (checkout / "actors/__pycache__/one.cpython-312.pyc").write_bytes(b"compiled")
    (checkout / "README.md").write_text("read me")
    assert code_on_disk(checkout) == before
