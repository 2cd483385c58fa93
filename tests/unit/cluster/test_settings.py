"""Settings come from the environment and keep their secrets to themselves."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from cluster.settings import Settings


def test_the_environment_is_read_with_its_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTATIVA_DATABASES", '{"entativa": "postgresql://user:hidden@db/entativa"}')
    monkeypatch.setenv("ENTATIVA_RATE_LIMITS__IDENTITY_PER_MINUTE", "7")
    settings = Settings()
    assert settings.databases["entativa"].get_secret_value().endswith("/entativa")
    assert settings.rate_limits.identity_per_minute == 7
    assert "hidden" not in repr(settings)


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("ENTATIVA_LOG_LEVEL=DEBUG\nENTATIVA_MAIL_SENDER=file@example.org\n")
    monkeypatch.setenv("ENTATIVA_LOG_LEVEL", "ERROR")
    settings = Settings(_env_file=str(file))
    assert (settings.log_level, settings.mail_sender) == ("ERROR", "file@example.org")


def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTATIVA_DATABASE_POOL_SIZE", "many")
    with pytest.raises(ValidationError, match="database_pool_size"):
        Settings()
