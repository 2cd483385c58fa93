"""Encrypted backups that an account's devices keep on the platform, which cannot open them (docs/messaging.md)."""
