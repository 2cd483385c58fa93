"""End-to-end encrypted conversations: ordering, mailboxes of devices, delivery. docs/messaging.md."""
