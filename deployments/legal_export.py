"""`entativa legal-export`: what authorities get about an account, and nothing else."""

from uuid import UUID

from api.platform import Platform
from deployments.access_log import note_access
from deployments.accounts import Username, print_json, run_for
from deployments.arguments import Brand
from features.life_cycle import disclose_account


def legal_export(brand: Brand, username: Username) -> None:
    """Print what authorities get about an account as JSON lines: the table, and one of its rows, all of those that
    docs/security/metadata.md lists and no others. It is noted in logs/legal-export.log."""
    run_for(brand, username, _export)


async def _export(platform: Platform, account_id: UUID) -> None:
    note_access(platform.brand, "legal-export", account_id=account_id)
    async with platform.database.unit_of_work() as uow:
        async for table, row in disclose_account(platform, uow, account_id):
            print_json({"table": table, "row": row})
