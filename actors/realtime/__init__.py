"""Realtime hosts: the actors that own the clients' sockets."""
