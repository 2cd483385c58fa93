"""Who is who: sign-up, log-in, device sessions, tokens and the keys that sign them."""
