"""What a person sees when they come home: the posts of those they are tied to, newest first."""
