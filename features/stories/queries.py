"""Statements on stories for other slices."""

EXISTING = "select id from stories where id = any($1::uuid[])"
"""Those of the stories $1 that there are, expired or not, whoever may see them."""
