"""Encrypted groups of one device (RFC 9420, crypto.mls); docs/messaging.md says what the server does."""
