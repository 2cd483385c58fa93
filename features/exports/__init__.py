"""Exports: everything that the platform knows about an account, made by a consumer and downloaded by its owner."""
