"""What is delivered from an inbox, with the tags by which it can be reported."""

from dataclasses import replace
from uuid import UUID

from features.delivery_tags import Delivered, DeliveryTags, commitment_of_envelope, commitment_of_group_message
from features.groups.model import GroupContent, GroupDelivery
from features.messaging.model import Delivery


def tagged(item: Delivery | GroupDelivery, tags: DeliveryTags, reader_id: UUID) -> Delivery | GroupDelivery:
    """Returns an item for its reader with its tag, if it has a commitment."""
    if isinstance(item, Delivery):
        delivered = Delivered(item.conversation_id, item.sender.account_id, item.seq)
        return replace(item, delivery_tag=tags.tag(commitment_of_envelope(item.ciphertext), delivered, reader_id))
    if item.content is not GroupContent.APPLICATION or item.sender is None or item.message is None:
        return item
    delivered = Delivered(item.group_id, item.sender.account_id, item.seq)
    return replace(item, delivery_tag=tags.tag(commitment_of_group_message(item.message), delivered, reader_id))
