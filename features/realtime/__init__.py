"""The realtime protocol: frames, codecs and the state machine of one connection. Does no I/O."""
