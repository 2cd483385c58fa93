"""The end-to-end encryption devices of accounts and their public keys. No private key and no secret comes here."""
