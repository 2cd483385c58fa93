"""A brand whose videos are cut into many small chunks."""

from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path

import pytest

from brands.catalogue import BRANDS
from features.videos.policy import Quality, VideoPolicy
from tests.support.environment import Environment, open_environment
from tests.support.mail_trap import MailTrap
from tests.support.servers import Servers, forget_brand, fresh_database

POLICY = VideoPolicy(
    ladder=(Quality(36, 26, 200_000, "ultrafast"), Quality(72, 24, 400_000, "ultrafast")),
    gop=Fraction(1, 2),
    gops_per_segment=1,
    segments_per_chunk=1,
    max_job_losses=200,
)


@pytest.fixture
async def chunked(servers: Servers, template: str, tmp_path: Path, mail_trap: MailTrap) -> AsyncIterator[Environment]:
    """The brand with friends, with chunks of half a second and two rungs."""
    await forget_brand(servers, "entativa")
    brand = BRANDS["entativa"].with_policy(POLICY)
    async with fresh_database(servers, template) as address:
        async with open_environment(brand, address, servers.redis.address(), tmp_path, mail_trap) as environment:
            yield environment
