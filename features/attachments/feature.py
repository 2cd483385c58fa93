"""What this slice declares. What its table says about people is in docs/security/metadata.md."""

from datetime import timedelta

from cluster.tables import Expiry, Table
from features.accounts.feature import ACCOUNTS
from features.attachments.erasure import erase
from features.attachments.policy import AttachmentPolicy
from features.attachments.service import AttachmentService
from features.feature import Feature, Scope
from features.media.feature import MEDIA
from features.media.service import MediaService


def _service(scope: Scope) -> AttachmentService:
    objects = scope.service(MediaService).objects
    return AttachmentService(scope.brand, scope.policy(AttachmentPolicy), scope.database, objects, scope.now)


ATTACHMENTS = Feature(
    name="attachments",
    needs=(ACCOUNTS, MEDIA),
    policy=AttachmentPolicy,
    service=_service,
    erase=erase,
    tables=(
        Table(
            "attachments",
            "id",
            "45 days after the upload; a day, if it was not completed",
            Expiry("expires_at", timedelta()),
            subjects=("account_id",),
            disclosed="account_id = $1",
        ),
    ),
)
