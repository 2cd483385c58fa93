"""The event log: what happened, in order per key, from the publishing transaction to the effects of consumers."""
