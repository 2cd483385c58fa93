"""Accounts: who can log in. What an account shows to others is its profile."""
