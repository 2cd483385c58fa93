"""Who is whose audience, and who wants nothing of whom: connections, blocks, mutes, close friends, lists."""
