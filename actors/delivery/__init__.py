"""Pushes from live sessions to the realtime hosts that own their sockets: the one package that both know."""
