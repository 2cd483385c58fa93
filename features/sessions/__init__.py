"""A user's live sessions: where their sockets are, what was pushed to them, presence, unread counters."""
