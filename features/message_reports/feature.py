"""What this slice declares. What its table says about people is in docs/security/metadata.md."""

from cluster.tables import Expiry, Table
from features.accounts.feature import ACCOUNTS
from features.delivery_tags import DeliveryTags
from features.feature import Feature, Scope
from features.message_reports.policy import MessageReportPolicy
from features.message_reports.service import MessageReportService
from features.messaging.feature import MESSAGING
from features.relationships.feature import RELATIONSHIPS


def _service(scope: Scope) -> MessageReportService:
    secret = scope.settings.cluster_secret.get_secret_value().encode()
    return MessageReportService(scope.policy(MessageReportPolicy), DeliveryTags.of_brand(secret, scope.brand))


MESSAGE_REPORTS = Feature(
    name="message_reports",
    needs=(ACCOUNTS, MESSAGING, RELATIONSHIPS),
    policy=MessageReportPolicy,
    service=_service,
    tables=(
        # What a reporter has shown is the reporter's. It is no metadata: authorities get none of it from legal-export.
        Table(
            "message_reports",
            "reporter_account_id",
            "180 days",
            Expiry("reported_at", MessageReportPolicy().kept),
            subjects=("reporter_account_id",),
            mentions=("sender_account_id",),
            secrets=("commitment", "opening", "delivery_tag"),
        ),
    ),
)
