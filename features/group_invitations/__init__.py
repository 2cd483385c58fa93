"""Invitations to encrypted groups by link: who has the link asks to join, and an admin's device adds or declines."""
