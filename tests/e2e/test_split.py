"""Entativa split in three applications does the same job at the same address."""

from pathlib import Path
from typing import Any

import httpx

from tests.e2e.main_job import main_job
from tests.e2e.running import RunningPlatform, until

SPLIT = Path(__file__).parents[2] / "examples" / "serve_config.split.yaml"


def _document(platform: RunningPlatform) -> dict[str, Any]:
    document: dict[str, Any] = httpx.get(f"{platform.address('entativa')}/openapi.json", timeout=60).json()
    return document


def test_a_brand_in_three_applications_does_the_same_job(platform: RunningPlatform) -> None:
    whole = _document(platform)
    platform.succeed("deploy", str(SPLIT))
    try:
        applications = platform.applications()
        assert {"entativa", "entativa-auth", "entativa-feed"} <= applications.keys()
        # The main application alone would not know the other two's paths.
        until(lambda: _document(platform) == whole, "the document is the same")
        # Nobody is left without an address: every path answers, if only to say that a token is needed.
        for path, operations in whole["paths"].items():
            for method in operations:
                asked = path.replace("{", "").replace("}", "")
                answer = httpx.request(method.upper(), f"{platform.address('entativa')}{asked}", json={}, timeout=60)
                code = answer.json().get("code") if answer.content else answer.status_code
                assert code not in ("not_found", 404), f"{method} {path}: {answer.text}"
        main_job(platform, "entativa")
    finally:
        platform.succeed("deploy")
    assert "entativa-auth" not in platform.applications()
    until(lambda: httpx.get(f"{platform.api('entativa')}/feed", timeout=60).status_code == 401, "the feed answers")
