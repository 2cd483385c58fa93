"""What benchmarks share at the smallest size, where most of their time would be its start. Ends with the run."""

from contextlib import ExitStack

shared = ExitStack()
