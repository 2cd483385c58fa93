"""Images of profiles: avatars and covers."""
