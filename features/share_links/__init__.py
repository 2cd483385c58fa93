"""Signed links to posts, for sharing outside. A link shows a post to those who may see it, and nothing to others."""
