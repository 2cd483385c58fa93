"""The home feed: the posts of a reader's friends or followed accounts, newest first."""
