"""Saved posts: each account's own, in collections that nobody else sees."""
