"""Messaging Layer Security (RFC 9420): see API.md while the package is being built."""
