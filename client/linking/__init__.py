"""Further devices of an account: codes that pass between two of them, and what the new one is told."""

from client.linking.code import LinkCode
from client.linking.history import export_history, import_history

__all__ = ["LinkCode", "export_history", "import_history"]
