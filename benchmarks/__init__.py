"""Measurements: `python -m benchmarks [FIGURE-PREFIX]` prints one JSON line per figure."""
