"""The terminal client: `ChatApp` shows an account's conversations."""

from client.terminal.app import ChatApp

__all__ = ["ChatApp"]
