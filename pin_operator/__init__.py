"""An operator of PINs: a service of its own that answers ten guesses at an account's PIN and then deletes its share.

It knows `crypto` and nothing else of the project, has databases of its own, and may run at somebody else's. A PIN
wraps the recovery key of a backup through several operators, none of which can guess alone
(docs/decisions/crypto-pin-operators.md, docs/operations.md).
"""
