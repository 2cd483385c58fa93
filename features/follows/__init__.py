"""Follows: one-sided connections without a request."""
