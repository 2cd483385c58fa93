"""`entativa legal-export`: what authorities get about an account, and nothing else."""

import contextlib
from uuid import UUID

from api.platform import Platform
from brands.catalogue import BRANDS
from cluster.local.installation import Installation
from cluster.logs import configure_logs, logger
from deployments.accounts import Username, print_json, run_for
from deployments.arguments import Brand
from features.life_cycle import disclose_account

LOG = "logs/legal-export.log"
"""In the installation's folder."""


def legal_export(brand: Brand, username: Username) -> None:
    """Print what authorities get about an account as JSON lines: the table, and one of its rows, all of those that
    docs/security/metadata.md lists and no others. It is noted in logs/legal-export.log."""
    run_for(brand, username, _export)


async def _export(platform: Platform, account_id: UUID) -> None:
    _note(platform.brand, account_id)
    async with platform.database.unit_of_work() as uow:
        async for table, row in disclose_account(platform, uow, account_id):
            print_json({"table": table, "row": row})


def _note(brand: str, account_id: UUID) -> None:
    """Writes a line to the log, before anything is disclosed."""
    path = Installation(sorted(BRANDS)).home / LOG
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file, contextlib.redirect_stderr(file):
        configure_logs(brand=brand, process="legal-export")
        logger(__name__).info("legal export", account_id=account_id)
