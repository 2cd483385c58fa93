"""The tables of an account's database, as migrations (statements each) that are never edited after they landed.

Times are milliseconds since 1970. Accounts, conversations and messages are their ids' 32 hexadecimal digits.
"""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    # Single values under their names.
    ("create table state (name text primary key, value blob not null) without rowid",),
    (
        # What the directory has proven to be the newest keys of an account (crypto.directory.AccountKeys). epoch_at:
        # the directory's time of the proof.
        """
        create table directory_keys (
            account_id text primary key, keys blob not null, looked_up_at integer not null, epoch_at integer not null
        ) without rowid
        """,
        # The sessions with each device of others (crypto.sessions.SessionStore.state_of).
        """
        create table sessions (
            account_id text not null, device integer not null, state blob not null, primary key (account_id, device)
        ) without rowid
        """,
        # Of two accounts. received: the newest message that is stored here; acknowledged: as the server knows.
        """
        create table conversations (
            id text primary key, peer text not null,
            received integer not null default 0, acknowledged integer not null default 0
        ) without rowid
        """,
        # Messages of others as they came, until they are decrypted.
        """
        create table incoming (
            conversation_id text not null references conversations (id), seq integer not null,
            account_id text not null, device integer not null, sent_at integer not null, envelope blob not null,
            primary key (conversation_id, seq)
        ) without rowid
        """,
        # seq and sent_at are null until the server has accepted the message. problem: why there is no text, or why the
        # server refused it.
        """
        create table messages (
            number integer primary key autoincrement,
            conversation_id text not null references conversations (id),
            account_id text not null, device integer not null, message_id text not null,
            seq integer, sent_at integer, written_at integer not null, text text, problem text,
            unique (account_id, device, message_id)
        )
        """,
        "create index messages_of_conversation on messages (conversation_id, seq)",
        # Messages that the server has not accepted.
        """
        create table outgoing (
            number integer primary key references messages (number), conversation_id text not null,
            client_id text not null unique
        )
        """,
        # Encrypted messages that the server has not accepted, one envelope for each device.
        """
        create table outgoing_payloads (
            number integer not null references outgoing (number) on delete cascade,
            account_id text not null, device integer not null, envelope blob not null,
            primary key (number, account_id, device)
        ) without rowid
        """,
    ),
    (
        # username: of the peer, null until it is known. read: the newest message that the user has seen.
        "alter table conversations add column username text",
        "alter table conversations add column read integer not null default 0",
    ),
)
