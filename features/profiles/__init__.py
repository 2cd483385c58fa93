"""Profiles: how a person appears to others, and how a username leads to a person."""
