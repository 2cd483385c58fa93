"""Stories: images, videos and texts that are shown for a day, and kept for their author."""
