"""Statements on comments for other slices."""

EXISTING = "select id from comments where id = any($1::uuid[]) and author_id is not null"
"""Those of the comments $1 that there are, without deleted ones that keep their places, whoever may see them."""
