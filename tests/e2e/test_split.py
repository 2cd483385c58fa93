"""Entativa split in three applications does the same job at the same address."""

from pathlib import Path

import httpx

from tests.e2e.main_job import main_job
from tests.e2e.running import RunningPlatform

SPLIT = Path(__file__).parents[2] / "examples" / "serve_config.split.yaml"


def test_a_brand_in_three_applications_does_the_same_job(platform: RunningPlatform) -> None:
    whole = httpx.get(f"{platform.address('entativa')}/openapi.json", timeout=60).json()
    platform.succeed("deploy", str(SPLIT))
    try:
        applications = platform.applications()
        assert {"entativa", "entativa-auth", "entativa-feed"} <= applications.keys()
        # The main application alone would not know the other two's paths.
        assert httpx.get(f"{platform.address('entativa')}/openapi.json", timeout=60).json() == whole
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
    assert httpx.get(f"{platform.api('entativa')}/feed", timeout=60).status_code == 401
