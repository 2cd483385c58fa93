"""Connections, blocks, mutes, close friends and lists between accounts."""
