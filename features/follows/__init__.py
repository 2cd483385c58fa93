"""Follows: one-sided ties that hold at once."""
