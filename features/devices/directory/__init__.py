"""The server's part of the key directory (crypto.directory), whose map and log are stored in Postgres."""
