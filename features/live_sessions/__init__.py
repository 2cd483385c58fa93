"""Live sessions: a user's open sockets, the events pushed to them, presence and unread counters."""
