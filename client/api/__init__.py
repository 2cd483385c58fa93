"""The platform's HTTP API for clients: `Connection` is a signed-in session, `MessagingApi` performs the messenger's
requests."""

from client.api.connection import ApiError, Connection, NoResponse, SignedOut, Tokens
from client.api.messaging import MessagingApi

__all__ = ["ApiError", "Connection", "MessagingApi", "NoResponse", "SignedOut", "Tokens"]
