"""Messages and groups as rows, where no entity is there to accept them."""

MESSAGE = """
with accepted as (
    insert into messages (conversation_id, seq, sender_account_id, sender_device, client_id, digest, sent_at)
    select $1, 1 + count(*), $2, 1, gen_random_uuid(), 'digest', $4 from messages
    returning seq, client_id
)
insert into message_payloads (account_id, device, conversation_id, seq, previous, sender_account_id, sender_device,
    client_id, sent_at, expires_at, ciphertext)
select $3, 1, $1, seq, 0, $2, 1, client_id, $4, $4 + interval '30 days', 'sealed' from accepted
"""
"""A message from $2 to $3: it takes an entity to send one."""

GROUP = """
with founded as (
    insert into groups (id, digest, epoch, version, group_info, created_at) values ($1, '', 1, 1, '', $4) returning id
), members as (
    insert into group_members (account_id, group_id, role, joined_at)
    select account_id, id, 'member', $4 from founded cross join unnest(array[$2::uuid, $3]) as account_id
), places as (
    insert into group_devices (account_id, device, group_id, leaf, since, read_to)
    select account_id, 1, id, 0, 1, 1 from founded cross join unnest(array[$2::uuid, $3]) as account_id
), welcome as (
    insert into group_welcomes (group_id, epoch, suite, encrypted_group_info, tree, expires_at)
    select id, 1, 1, '', '', $4 + interval '30 days' from founded
), joiners as (
    insert into group_joiners (account_id, device, group_id, epoch, seq, secrets)
    select account_id, 1, id, 1, 1, '' from founded cross join unnest(array[$2::uuid, $3]) as account_id
), invitations as (
    insert into group_invitations (id, group_id, account_id, token_digest, max_uses, uses, created_at, expires_at)
    select gen_random_uuid(), id, $2, sha256(id::text::bytea), 1, 0, $4, $4 + interval '7 days' from founded
    returning id
), requests as (
    insert into group_join_requests (id, group_id, account_id, invitation_id, state, asked_at, expires_at)
    select gen_random_uuid(), founded.id, $3, invitations.id, 'approved', $4, $4 + interval '30 days'
    from founded cross join invitations
)
insert into group_messages (group_id, seq, epoch, content, sender_account_id, sender_device, client_id, digest, sent_at,
    expires_at, message)
select id, number, 1, content, $2, 1, gen_random_uuid(), '', $4, $4 + interval '30 days', 'sealed'
from founded cross join unnest(array['commit', 'application']) with ordinality as sent (content, number)
"""
"""A group of $2 and $3, who came in by an invitation of $2, in which $2 has sent a commit and a message: it takes an
entity to accept them."""
