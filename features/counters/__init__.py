"""Counters: the reactions to a target (a post), how many there are of each kind, and whose."""
