"""Settings: what an account chose for itself, the same on all its devices."""
