"""What people publish: text with hashtags and mentions, an audience, a history."""
