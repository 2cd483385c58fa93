"""What this slice declares. What its tables say about people is in docs/security/metadata.md."""

from cluster.tables import Table
from features.accounts.feature import ACCOUNTS
from features.backups.erasure import erase
from features.backups.policy import BackupPolicy
from features.backups.service import BackupService
from features.feature import Feature, Scope
from features.media.feature import MEDIA
from features.media.service import MediaService


def _service(scope: Scope) -> BackupService:
    objects = scope.service(MediaService).objects
    return BackupService(scope.brand, scope.policy(BackupPolicy), scope.database, objects, scope.now)


_OF_ACCOUNT = "account_id = $1"

BACKUPS = Feature(
    name="backups",
    needs=(ACCOUNTS, MEDIA),
    policy=BackupPolicy,
    service=_service,
    erase=erase,
    tables=(
        Table(
            "backups",
            "account_id",
            "until the account deletes it",
            subjects=("account_id",),
            secrets=("header",),
            disclosed=_OF_ACCOUNT,
        ),
        Table(
            "backup_segments",
            "account_id",
            "until the backup no longer names them; a day, if it never did",
            subjects=("account_id",),
            secrets=("object_id",),
            disclosed=_OF_ACCOUNT,
        ),
    ),
)
