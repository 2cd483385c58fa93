"""Posts: text with hashtags and mentions, an audience and a history."""
