"""Profiles: what an account shows to others, and the look-up of usernames."""
