"""References to posts and stories, which clients put into encrypted messages."""
