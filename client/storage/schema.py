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
    (
        # body: a client.messaging.body.Body, encoded. What waits need not be a message.
        "alter table outgoing rename to former_outgoing",
        """
        create table outgoing (
            number integer primary key autoincrement,
            conversation_id text not null references conversations (id),
            client_id text not null unique, body blob not null
        )
        """,
        """
        insert into outgoing (number, conversation_id, client_id, body)
        select o.number, o.conversation_id, o.client_id,
            cast(json_object('version', 1, 'id', m.message_id, 'to', c.peer, 'text', m.text) as blob)
        from former_outgoing as o join messages as m on m.number = o.number
        join conversations as c on c.id = o.conversation_id
        """,
        "alter table outgoing_payloads rename to former_payloads",
        """
        create table outgoing_payloads (
            number integer not null references outgoing (number) on delete cascade,
            account_id text not null, device integer not null, envelope blob not null,
            primary key (number, account_id, device)
        ) without rowid
        """,
        "insert into outgoing_payloads select * from former_payloads",
        "drop table former_payloads",
        "drop table former_outgoing",
        # quote: account, id and text of the message that this one answers, as a JSON list. edit_seq: of the edit that
        # gave the text. deleted: for everybody. expires_at: when it disappears, null until it was read or sent.
        # receipt: what its author was told: 1, it is here; 2, it was read, or there is nothing more to tell.
        "alter table messages add column quote text",
        "alter table messages add column edit_seq integer",
        "alter table messages add column deleted integer not null default 0",
        "alter table messages add column expires_in_s integer",
        "alter table messages add column expires_at integer",
        "alter table messages add column receipt integer not null default 2",
        "create index messages_by_id on messages (conversation_id, message_id)",
        "create index messages_to_expire on messages (expires_at) where expires_at is not null",
        "create index messages_without_receipt on messages (conversation_id, number) where receipt < 2",
        # accepted: the user has written there, or the server says so: receipts may be sent. expires_in_s: of what is
        # written from now on; timer_seq: of the body that has set it.
        "alter table conversations add column accepted integer not null default 0",
        "alter table conversations add column expires_in_s integer",
        "alter table conversations add column timer_seq integer not null default 0",
        """
        update conversations set accepted = exists (
            select 1 from messages where conversation_id = conversations.id and account_id != conversations.peer
        )
        """,
        # What accounts make of messages; emoji is null once that was taken back.
        """
        create table reactions (
            number integer not null references messages (number) on delete cascade,
            account_id text not null, emoji text, seq integer not null, primary key (number, account_id)
        ) without rowid
        """,
        # To whom own messages were delivered; read: whether they were read, too.
        """
        create table receipts (
            number integer not null references messages (number) on delete cascade,
            account_id text not null, read integer not null, primary key (number, account_id)
        ) without rowid
        """,
    ),
    (
        # What the backup has of this device's history: by key, a digest of the record (client.backup.history).
        "create table backed_up (key text primary key, digest blob not null) without rowid",
    ),
    (
        # The words of all texts. secure-delete: what is taken out is gone from the index's pages, too.
        "create view texts as select number, text from messages where text is not null",
        """
        create virtual table message_search using fts5 (
            text, content = 'texts', content_rowid = 'number', tokenize = 'unicode61 remove_diacritics 2'
        )
        """,
        "insert into message_search (message_search, rank) values ('secure-delete', 1)",
        "insert into message_search (rowid, text) select number, text from messages where text is not null",
        """
        create trigger text_added after insert on messages when new.text is not null begin
            insert into message_search (rowid, text) values (new.number, new.text);
        end
        """,
        """
        create trigger text_taken_out before update of text on messages when old.text is not null begin
            insert into message_search (message_search, rowid, text) values ('delete', old.number, old.text);
        end
        """,
        """
        create trigger text_replaced after update of text on messages when new.text is not null begin
            insert into message_search (rowid, text) values (new.number, new.text);
        end
        """,
        """
        create trigger text_deleted before delete on messages when old.text is not null begin
            insert into message_search (message_search, rowid, text) values ('delete', old.number, old.text);
        end
        """,
    ),
    (
        # resent: how often other devices were sent a message again that they could not decrypt.
        "alter table messages add column resent integer not null default 0",
        # What this device could not decrypt and has asked for.
        """
        create table resends (
            conversation_id text not null references conversations (id), seq integer not null,
            account_id text not null, device integer not null, asked_at integer not null,
            primary key (conversation_id, seq)
        ) without rowid
        """,
        # Devices that a new session has to be started with.
        """
        create table renewals (
            account_id text not null, device integer not null, primary key (account_id, device)
        ) without rowid
        """,
    ),
    (
        # written_for: the devices that an own message was encrypted for (client.messaging.repair): it is sent again to
        # no others. Null: from before that was noted.
        "alter table messages add column written_for blob",
    ),
    (
        # The files of messages (client.messaging.contents.Attachment). pointer: crypto.attachments.AttachmentPointer.
        """
        create table attachments (
            number integer not null references messages (number) on delete cascade, position integer not null,
            id text not null, pointer blob not null, name text not null, media_type text not null,
            length integer not null, primary key (number, position)
        ) without rowid
        """,
        # Files that are encrypted here and not sent yet. id: at the server; received: how many bytes are there.
        """
        create table uploads (
            number integer primary key autoincrement,
            conversation_id text not null references conversations (id), text text not null, pointer blob not null,
            name text not null, media_type text not null, length integer not null,
            id text, received integer not null default 0, part_size integer not null default 0
        )
        """,
        # Own attachments of deleted messages, which the server still has.
        "create table unwanted_attachments (id text primary key) without rowid",
    ),
    (
        # Groups are conversations whose peer is the group itself; their username is the group's name.
        # state: client.messaging.groups.states.GroupState. told_epoch: in which the server says that it is, at least.
        # name_seq: of the body that has set the name.
        """
        create table groups (
            id text primary key references conversations (id), state text not null, epoch integer not null default 0,
            told_epoch integer not null default 0, name_seq integer not null default 0
        ) without rowid
        """,
        # The state of this member (crypto.mls.Group.changes), with its private keys.
        """
        create table group_parts (
            group_id text not null references groups (id), name text not null, data blob not null,
            primary key (group_id, name)
        ) without rowid
        """,
        # The accounts in each group, with their roles (crypto.mls.Role).
        """
        create table group_members (
            group_id text not null references groups (id), account_id text not null, role integer not null,
            primary key (group_id, account_id)
        ) without rowid
        """,
        # What came for groups (client.messaging.groups.requests.GroupItem), until it is processed.
        """
        create table group_incoming (
            group_id text not null references groups (id), seq integer not null, content text not null,
            epoch integer not null, account_id text, device integer, sent_at integer not null, message blob,
            primary key (group_id, seq)
        ) without rowid
        """,
        # What the user wants of groups (client.messaging.groups.wishes). packages: KeyPackages that were claimed for
        # it, as a JSON list.
        """
        create table group_wishes (
            number integer primary key autoincrement, group_id text not null references groups (id),
            wish text not null, packages text
        )
        """,
        # What the server has to accept, one of each group (client.messaging.groups.submissions). state: of the epoch
        # that it begins. wish: that it fulfils. seq: as accepted; it takes effect after what came before.
        """
        create table group_submissions (
            group_id text primary key references groups (id), kind text not null, client_id text not null,
            message blob not null, welcome blob, group_info blob, state blob, wish integer, seq integer
        ) without rowid
        """,
        # Every device that the directory has ever shown of an account (crypto.identity.IdentityKey).
        """
        create table shown_devices (
            account_id text not null, device integer not null, identity blob not null,
            primary key (account_id, device)
        ) without rowid
        """,
        # The usernames of people in groups.
        "create table people (account_id text primary key, username text not null) without rowid",
    ),
    (
        # Messages that ask (client.messaging.contents.Poll); options: texts, as a JSON list.
        """
        create table polls (
            number integer primary key references messages (number) on delete cascade,
            options text not null, multiple integer not null
        )
        """,
        # What accounts have chosen; choices: numbers of options, as a JSON list.
        """
        create table votes (
            number integer not null references polls (number) on delete cascade,
            account_id text not null, choices text not null, seq integer not null, primary key (number, account_id)
        ) without rowid
        """,
    ),
    (
        # What stands for the id of a message that cannot be read: the same number may be in several conversations.
        "update messages set message_id = conversation_id || ' ' || seq where message_id = 'seq ' || seq",
    ),
    (
        # delivery_tag: the server's, with which a message can be reported; null from before there were any.
        "alter table incoming add column delivery_tag blob",
        "alter table group_incoming add column delivery_tag blob",
        # What proves that others have sent a message, and its edits, by their numbers (client.messaging.evidence).
        """
        create table evidence (
            number integer not null references messages (number) on delete cascade, seq integer not null,
            opening blob not null, content blob not null, delivery_tag blob not null, primary key (number, seq)
        ) without rowid
        """,
    ),
    (
        "alter table conversations add column muted_until integer",
        "alter table conversations add column archived integer not null default 0",
        "alter table conversations add column pinned integer not null default 0",
        # Whom the user has blocked.
        "create table blocked (account_id text primary key) without rowid",
    ),
)
