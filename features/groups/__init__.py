"""End-to-end encrypted groups (MLS, RFC 9420): who is in which, and what waits for devices. docs/messaging.md."""
