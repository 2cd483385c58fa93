"""Processes and entity kinds that the benchmarks of actors start.

A package, so that nothing of it is imported unasked: Ray reads its environment when it is first imported.
"""
