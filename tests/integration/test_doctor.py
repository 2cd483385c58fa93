"""What `entativa doctor` says of object storage."""

from pathlib import Path

import pytest

from cluster.local.installation import Installation
from cluster.local.processes import free_port
from deployments.doctor import Finding, examine


def _found(home: Path) -> Finding:
    findings = examine(Installation(["entativa"], home))
    return next(finding for finding in findings if finding.what.startswith("object storage of entativa"))


def test_a_folder_that_can_be_written_is_fine_and_left_as_it_was(tmp_path: Path) -> None:
    assert _found(tmp_path).ok
    assert [path for path in (tmp_path / "objects").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("url", ["https://not.storage.example", "s3://bucket"])
def test_storage_that_is_not_there_is_found_with_what_to_correct(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("ENTATIVA_OBJECTS_URL", url)
    monkeypatch.setenv("ENTATIVA_OBJECTS_S3_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("ENTATIVA_OBJECTS_S3_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("ENTATIVA_OBJECTS_S3_SECRET_ACCESS_KEY", "secret")
    found = _found(tmp_path)
    assert not found.ok
    assert "ENTATIVA_OBJECTS_URL" in found.fix
