"""The data plane: frames, streams, the router and its calls, and the same calls as coalesced Ray actor calls."""
