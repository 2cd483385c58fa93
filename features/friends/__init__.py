"""Friends: mutual ties that one person asks for and the other accepts."""
