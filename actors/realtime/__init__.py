"""Realtime hosts: the actors that hold the clients' sockets."""
