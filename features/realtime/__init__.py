"""The realtime wire protocol: frames, codecs and the state machine of one connection. No sockets here."""
