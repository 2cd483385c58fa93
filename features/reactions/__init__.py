"""Reactions: one a person per target, of seven kinds."""
