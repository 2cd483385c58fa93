"""Friends: mutual connections that one person requests and the other accepts."""
