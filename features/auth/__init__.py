"""Authentication: sign-up, log-in, sign-in sessions, tokens and signing keys."""
