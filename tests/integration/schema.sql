CREATE FUNCTION public.auth_audit_refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    if tg_op = 'DELETE' and not exists (select from accounts where id = old.account_id) then
        return old;
    end if;
    raise exception 'the audit log is append-only';
end
$$;
CREATE FUNCTION public.fill_post_hashtag() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    SELECT posts.audience, posts.author_id, posts.list_id INTO new.audience, new.author_id, new.list_id
    FROM posts WHERE posts.id = new.post_id;
    RETURN new;
END $$;
CREATE FUNCTION public.follow_post_audience() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE post_hashtags SET audience = new.audience, author_id = new.author_id, list_id = new.list_id
    WHERE post_id = new.id AND (audience, list_id) IS DISTINCT FROM (new.audience, new.list_id);
    RETURN NULL;
END $$;
CREATE FUNCTION public.shard_map_continues(known uuid, known_version bigint) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
    SELECT EXISTS (
        SELECT FROM shard_generations AS g
        WHERE g.generation = known AND known_version <= coalesce(
            (SELECT min(later.from_version) FROM shard_generations AS later WHERE later.term > g.term),
            (SELECT map_version FROM shard_coordinator)
        )
    )
$$;
CREATE FUNCTION public.turn_commits_are_stored(known uuid[], numbers bigint[]) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
    SELECT count(*) = cardinality(known)
    FROM unnest(known, numbers) AS k (series, number)
    JOIN turn_commits AS c ON c.series = k.series AND c.number >= k.number
$$;
CREATE TABLE public.account_export_parts (
    export_id uuid NOT NULL,
    number integer NOT NULL,
    content bytea NOT NULL
);
CREATE TABLE public.account_exports (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    ready_at timestamp with time zone,
    size bigint,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.account_settings (
    account_id uuid NOT NULL,
    version bigint NOT NULL,
    chosen jsonb NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT account_settings_version_check CHECK ((version > 0))
);
CREATE TABLE public.accounts (
    id uuid NOT NULL,
    email text NOT NULL,
    password_hash text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    state text DEFAULT 'active'::text NOT NULL,
    state_changed_at timestamp with time zone,
    deletes_at timestamp with time zone,
    resumes_as text,
    CONSTRAINT accounts_deletion CHECK (((deletes_at IS NOT NULL) = ((state = ANY (ARRAY['deleting'::text, 'deleted'::text])) OR (NOT (resumes_as IS DISTINCT FROM 'deleting'::text))))),
    CONSTRAINT accounts_resumes_as_check CHECK ((resumes_as = ANY (ARRAY['active'::text, 'deactivated'::text, 'deleting'::text]))),
    CONSTRAINT accounts_state_check CHECK ((state = ANY (ARRAY['active'::text, 'deactivated'::text, 'suspended'::text, 'deleting'::text, 'deleted'::text]))),
    CONSTRAINT accounts_suspension CHECK (((state = 'suspended'::text) = (resumes_as IS NOT NULL)))
);
CREATE TABLE public.attachments (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    size bigint NOT NULL,
    received bigint NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.auth_audit (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    kind text NOT NULL,
    session_id uuid,
    device text NOT NULL,
    happened_at timestamp with time zone NOT NULL
);
CREATE TABLE public.auth_log_in_failures (
    subject bytea NOT NULL,
    failures integer NOT NULL,
    window_started_at timestamp with time zone NOT NULL,
    locked_until timestamp with time zone
);
CREATE TABLE public.auth_refresh_tokens (
    hash bytea NOT NULL,
    session_id uuid NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    successor bytea
);
CREATE TABLE public.auth_sessions (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    device text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone
);
CREATE TABLE public.auth_sign_ups (
    id uuid NOT NULL,
    email text NOT NULL,
    username text NOT NULL,
    name text NOT NULL,
    password_hash text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    codes smallint DEFAULT 1 NOT NULL,
    code_hash bytea,
    code_expires_at timestamp with time zone,
    attempts smallint DEFAULT 0 NOT NULL,
    requester bytea
);
CREATE TABLE public.backup_segments (
    account_id uuid NOT NULL,
    digest bytea NOT NULL,
    object_id uuid NOT NULL,
    size integer NOT NULL,
    "position" integer,
    uploaded_at timestamp with time zone NOT NULL
);
CREATE TABLE public.backups (
    account_id uuid NOT NULL,
    version bigint NOT NULL,
    header bytea NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.blocks (
    blocker_id uuid NOT NULL,
    blocked_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT blocks_check CHECK ((blocker_id <> blocked_id))
);
CREATE TABLE public.close_friends (
    owner_id uuid NOT NULL,
    member_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT close_friends_check CHECK ((owner_id <> member_id))
);
CREATE TABLE public.collection_posts (
    account_id uuid NOT NULL,
    post_id uuid NOT NULL,
    collection_id uuid NOT NULL,
    added_at timestamp with time zone NOT NULL
);
CREATE TABLE public.collections (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.comment_filters (
    account_id uuid NOT NULL,
    words text[] NOT NULL
);
CREATE TABLE public.comment_restrictions (
    post_id uuid NOT NULL,
    commenters text NOT NULL,
    CONSTRAINT comment_restrictions_commenters_check CHECK ((commenters = ANY (ARRAY['connections'::text, 'nobody'::text])))
);
CREATE TABLE public.comments (
    id uuid NOT NULL,
    post_id uuid NOT NULL,
    level_id uuid NOT NULL,
    parent_id uuid,
    depth smallint NOT NULL,
    author_id uuid,
    text text,
    entities jsonb,
    created_at timestamp with time zone NOT NULL,
    edited_at timestamp with time zone,
    hidden_at timestamp with time zone,
    score integer DEFAULT 0 NOT NULL,
    CONSTRAINT comments_check CHECK (((author_id IS NULL) = (text IS NULL)))
);
CREATE TABLE public.connection_count_shards (
    account_id uuid NOT NULL,
    shard smallint NOT NULL,
    audience integer NOT NULL,
    following integer NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE public.connection_counts (
    account_id uuid NOT NULL,
    audience integer DEFAULT 0 NOT NULL,
    following integer DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE public.connections (
    owner_id uuid NOT NULL,
    viewer_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT connections_check CHECK ((owner_id <> viewer_id))
);
CREATE TABLE public.conversation_members (
    conversation_id uuid NOT NULL,
    account_id uuid NOT NULL,
    state text NOT NULL,
    invited_by uuid,
    muted_until timestamp with time zone,
    archived boolean DEFAULT false NOT NULL,
    pinned boolean DEFAULT false NOT NULL,
    joined_at timestamp with time zone NOT NULL,
    CONSTRAINT conversation_members_state_check CHECK ((state = ANY (ARRAY['active'::text, 'requested'::text, 'declined'::text])))
);
CREATE TABLE public.conversations (
    id uuid NOT NULL,
    kind text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    asked integer DEFAULT 0 NOT NULL,
    expires_at timestamp with time zone,
    CONSTRAINT conversations_kind_check CHECK ((kind = 'pair'::text))
);
CREATE TABLE public.device_key_packages (
    account_id uuid NOT NULL,
    device integer NOT NULL,
    suite integer NOT NULL,
    last_resort boolean NOT NULL,
    reference bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    package bytea NOT NULL
);
CREATE TABLE public.device_key_versions (
    account_id uuid NOT NULL,
    number bigint NOT NULL,
    keys bytea NOT NULL,
    submitted_at timestamp with time zone NOT NULL,
    shown_in bigint
);
CREATE TABLE public.device_links (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    session_id uuid NOT NULL,
    identity_key bytea NOT NULL,
    ephemeral_key bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    number integer,
    sealed_box bytea
);
CREATE TABLE public.device_one_time_prekeys (
    account_id uuid NOT NULL,
    device integer NOT NULL,
    kem boolean NOT NULL,
    id bigint NOT NULL,
    key bytea NOT NULL
);
CREATE TABLE public.device_prekeys (
    account_id uuid NOT NULL,
    device integer NOT NULL,
    signed bytea NOT NULL,
    last_resort bytea NOT NULL,
    last_one_time_id bigint DEFAULT 0 NOT NULL,
    last_kem_id bigint DEFAULT 0 NOT NULL,
    uploaded_at timestamp with time zone NOT NULL
);
CREATE TABLE public.device_rosters (
    account_id uuid NOT NULL,
    last_number integer NOT NULL,
    keys bytea
);
CREATE TABLE public.devices (
    account_id uuid NOT NULL,
    number integer NOT NULL,
    identity_key bytea NOT NULL,
    session_id uuid NOT NULL,
    registered_at timestamp with time zone NOT NULL,
    prekeys_low boolean DEFAULT false NOT NULL,
    key_packages_low boolean DEFAULT false NOT NULL
);
CREATE TABLE public.entity_snapshots (
    kind text NOT NULL,
    entity text NOT NULL,
    format integer NOT NULL,
    body bytea NOT NULL,
    saved_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
CREATE TABLE public.entity_timers (
    kind text NOT NULL,
    shard smallint NOT NULL,
    entity text NOT NULL,
    name text NOT NULL,
    due_at double precision NOT NULL,
    message bytea NOT NULL
);
CREATE TABLE public.event_consumers (
    consumer text NOT NULL,
    active_at timestamp with time zone NOT NULL
);
CREATE TABLE public.event_dead_letters (
    id bigint NOT NULL,
    consumer text NOT NULL,
    partition smallint NOT NULL,
    key text NOT NULL,
    event jsonb NOT NULL,
    attempts smallint NOT NULL,
    reason text NOT NULL,
    died_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.event_dead_letters ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.event_dead_letters_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.event_log (
    topic text NOT NULL,
    partition smallint NOT NULL,
    "position" bigint NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    version smallint NOT NULL,
    key text NOT NULL,
    payload jsonb NOT NULL,
    traceparent text,
    occurred_at timestamp with time zone NOT NULL,
    appended_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.event_log_head (
    one boolean DEFAULT true NOT NULL,
    "position" bigint NOT NULL,
    CONSTRAINT event_log_head_one_check CHECK (one)
);
CREATE TABLE public.event_offsets (
    consumer text NOT NULL,
    topic text NOT NULL,
    partition smallint NOT NULL,
    "position" bigint NOT NULL
);
CREATE TABLE public.event_partitions (
    partition smallint NOT NULL,
    reader text
);
CREATE TABLE public.event_readers (
    reader text NOT NULL,
    seen_at timestamp with time zone NOT NULL
);
CREATE TABLE public.event_retries (
    id bigint NOT NULL,
    consumer text NOT NULL,
    partition smallint NOT NULL,
    key text NOT NULL,
    event jsonb NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    due_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.event_retries ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.event_retries_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.follow_days (
    account_id uuid NOT NULL,
    day date NOT NULL,
    follows integer NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE public.friend_requests (
    id uuid NOT NULL,
    sender_id uuid NOT NULL,
    recipient_id uuid NOT NULL,
    state text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    refused_at timestamp with time zone,
    CONSTRAINT friend_requests_check CHECK ((sender_id <> recipient_id)),
    CONSTRAINT friend_requests_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'refused'::text, 'accepted'::text, 'withdrawn'::text, 'severed'::text])))
);
CREATE TABLE public.group_devices (
    account_id uuid NOT NULL,
    device integer NOT NULL,
    group_id uuid NOT NULL,
    leaf integer NOT NULL,
    since bigint NOT NULL,
    until bigint,
    read_to bigint NOT NULL
);
CREATE TABLE public.group_invitations (
    id uuid NOT NULL,
    group_id uuid NOT NULL,
    account_id uuid NOT NULL,
    token_digest bytea NOT NULL,
    max_uses integer NOT NULL,
    uses integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT group_invitations_check CHECK (((uses >= 0) AND (uses <= max_uses))),
    CONSTRAINT group_invitations_token_digest_check CHECK ((octet_length(token_digest) = 32))
);
CREATE TABLE public.group_join_requests (
    id uuid NOT NULL,
    group_id uuid NOT NULL,
    account_id uuid NOT NULL,
    invitation_id uuid NOT NULL,
    state text NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT group_join_requests_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'declined'::text, 'approved'::text, 'withdrawn'::text, 'withdrawn_declined'::text])))
);
CREATE TABLE public.group_joiners (
    account_id uuid NOT NULL,
    device integer NOT NULL,
    group_id uuid NOT NULL,
    epoch bigint NOT NULL,
    seq bigint NOT NULL,
    secrets bytea NOT NULL
);
CREATE TABLE public.group_members (
    account_id uuid NOT NULL,
    group_id uuid NOT NULL,
    role text NOT NULL,
    joined_at timestamp with time zone NOT NULL,
    CONSTRAINT group_members_role_check CHECK ((role = ANY (ARRAY['member'::text, 'admin'::text, 'owner'::text])))
);
CREATE TABLE public.group_messages (
    group_id uuid NOT NULL,
    seq bigint NOT NULL,
    epoch bigint NOT NULL,
    content text NOT NULL,
    sender_account_id uuid,
    sender_device integer,
    client_id uuid NOT NULL,
    digest bytea NOT NULL,
    sent_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    message bytea NOT NULL,
    CONSTRAINT group_messages_content_check CHECK ((content = ANY (ARRAY['application'::text, 'proposal'::text, 'commit'::text])))
);
ALTER TABLE ONLY public.group_messages ALTER COLUMN message SET STORAGE EXTERNAL;
CREATE TABLE public.group_parts (
    group_id uuid NOT NULL,
    name text NOT NULL,
    data bytea NOT NULL
);
CREATE TABLE public.group_staged_changes (
    id uuid NOT NULL,
    group_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    message bytea NOT NULL,
    group_info bytea,
    put_names text[] NOT NULL,
    put_data bytea[] NOT NULL,
    deleted_names text[] NOT NULL,
    suite integer NOT NULL,
    encrypted_group_info bytea,
    tree bytea,
    added_account_ids uuid[] NOT NULL,
    added_devices integer[] NOT NULL,
    added_leaves integer[] NOT NULL,
    added_secrets bytea[] NOT NULL,
    removed_leaves integer[] NOT NULL,
    role_account_ids uuid[],
    role_names text[]
);
ALTER TABLE ONLY public.group_staged_changes ALTER COLUMN message SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.group_staged_changes ALTER COLUMN tree SET STORAGE EXTERNAL;
CREATE TABLE public.group_welcomes (
    group_id uuid NOT NULL,
    epoch bigint NOT NULL,
    suite integer NOT NULL,
    encrypted_group_info bytea,
    tree bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
ALTER TABLE ONLY public.group_welcomes ALTER COLUMN tree SET STORAGE EXTERNAL;
CREATE TABLE public.groups (
    id uuid NOT NULL,
    digest bytea NOT NULL,
    epoch bigint NOT NULL,
    version bigint NOT NULL,
    group_info bytea NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.hashtag_counts (
    tag text NOT NULL,
    day date NOT NULL,
    posts integer NOT NULL
);
CREATE TABLE public.highlighted_stories (
    highlight_id uuid NOT NULL,
    story_id uuid NOT NULL
);
CREATE TABLE public.idempotency_keys (
    scope text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status smallint,
    body bytea,
    created_at timestamp with time zone NOT NULL,
    created_id uuid
);
CREATE TABLE public.key_directory_epochs (
    number bigint NOT NULL,
    closed_at_ms bigint NOT NULL,
    root bytea NOT NULL,
    log_root bytea NOT NULL,
    signature bytea NOT NULL,
    log_key bytea NOT NULL
);
CREATE TABLE public.key_directory_log (
    level integer NOT NULL,
    "position" bigint NOT NULL,
    hash bytea NOT NULL
);
CREATE TABLE public.key_directory_map (
    prefix bytea NOT NULL,
    epoch bigint NOT NULL,
    hash bytea NOT NULL,
    index bytea,
    commitment bytea
);
CREATE TABLE public.list_members (
    list_id uuid NOT NULL,
    member_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.lists (
    id uuid NOT NULL,
    owner_id uuid NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.media (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    media_type text NOT NULL,
    size bigint NOT NULL,
    state text NOT NULL,
    digest bytea,
    created_at timestamp with time zone NOT NULL,
    epoch integer DEFAULT 0 NOT NULL,
    failure text,
    width integer,
    height integer,
    blurhash text,
    widths integer[],
    attached_to uuid,
    released_at timestamp with time zone,
    not_allowed boolean DEFAULT false NOT NULL,
    CONSTRAINT media_epoch_check CHECK ((epoch >= 0)),
    CONSTRAINT media_height_check CHECK ((height > 0)),
    CONSTRAINT media_ready CHECK (((state = 'ready'::text) = (digest IS NOT NULL))),
    CONSTRAINT media_size_check CHECK ((size > 0)),
    CONSTRAINT media_state_check CHECK ((state = ANY (ARRAY['processing'::text, 'ready'::text]))),
    CONSTRAINT media_width_check CHECK ((width > 0))
);
CREATE TABLE public.media_evidence (
    media_id uuid NOT NULL,
    account_id uuid NOT NULL,
    media_type text NOT NULL,
    size bigint NOT NULL,
    digest bytea NOT NULL,
    entry bytea NOT NULL,
    distance smallint NOT NULL,
    held_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone NOT NULL,
    CONSTRAINT media_evidence_entry_check CHECK ((octet_length(entry) = 32))
);
CREATE TABLE public.media_files (
    media_id uuid NOT NULL,
    name text NOT NULL,
    content_type text NOT NULL,
    size bigint NOT NULL,
    digest bytea NOT NULL,
    CONSTRAINT media_files_size_check CHECK ((size > 0))
);
CREATE TABLE public.media_garbage (
    key text NOT NULL,
    due_at timestamp with time zone NOT NULL
);
CREATE TABLE public.media_objects (
    digest bytea NOT NULL,
    size bigint NOT NULL,
    refs bigint NOT NULL,
    stored boolean NOT NULL,
    CONSTRAINT media_objects_digest_check CHECK ((octet_length(digest) = 32)),
    CONSTRAINT media_objects_refs_check CHECK ((refs >= 0)),
    CONSTRAINT media_objects_size_check CHECK ((size > 0))
);
CREATE TABLE public.media_upload_parts (
    upload_id uuid NOT NULL,
    start bigint NOT NULL,
    size integer NOT NULL,
    part_id uuid NOT NULL,
    CONSTRAINT media_upload_parts_size_check CHECK ((size > 0)),
    CONSTRAINT media_upload_parts_start_check CHECK ((start >= 0))
);
CREATE TABLE public.media_uploads (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    kind text NOT NULL,
    length bigint NOT NULL,
    received bigint DEFAULT 0 NOT NULL,
    fence bigint DEFAULT 0 NOT NULL,
    parts integer DEFAULT 0 NOT NULL,
    media_type text,
    metadata text NOT NULL,
    concat text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT media_uploads_kind_check CHECK ((kind = ANY (ARRAY['whole'::text, 'partial'::text, 'final'::text]))),
    CONSTRAINT media_uploads_length_check CHECK ((length > 0)),
    CONSTRAINT media_uploads_received CHECK (((received >= 0) AND (received <= length))),
    CONSTRAINT media_uploads_type CHECK (((kind = 'partial'::text) = (media_type IS NULL)))
);
CREATE TABLE public.message_payloads (
    account_id uuid NOT NULL,
    device integer NOT NULL,
    conversation_id uuid NOT NULL,
    seq bigint NOT NULL,
    previous bigint NOT NULL,
    sender_account_id uuid NOT NULL,
    sender_device integer NOT NULL,
    client_id uuid NOT NULL,
    sent_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ciphertext bytea NOT NULL
);
ALTER TABLE ONLY public.message_payloads ALTER COLUMN ciphertext SET STORAGE EXTERNAL;
CREATE TABLE public.message_reports (
    id uuid NOT NULL,
    reporter_account_id uuid NOT NULL,
    sender_account_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    sent_at timestamp with time zone NOT NULL,
    reason text NOT NULL,
    reported_at timestamp with time zone NOT NULL,
    commitment bytea NOT NULL,
    opening bytea NOT NULL,
    content bytea NOT NULL,
    delivery_tag bytea NOT NULL,
    CONSTRAINT message_reports_commitment_check CHECK ((octet_length(commitment) = 32)),
    CONSTRAINT message_reports_opening_check CHECK ((octet_length(opening) = 32))
);
CREATE TABLE public.messages (
    conversation_id uuid NOT NULL,
    seq bigint NOT NULL,
    sender_account_id uuid NOT NULL,
    sender_device integer NOT NULL,
    client_id uuid NOT NULL,
    digest bytea NOT NULL,
    sent_at timestamp with time zone NOT NULL
);
CREATE TABLE public.mutes (
    muter_id uuid NOT NULL,
    muted_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT mutes_check CHECK ((muter_id <> muted_id))
);
CREATE TABLE public.outbox (
    id bigint NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    key text NOT NULL,
    payload jsonb NOT NULL,
    traceparent text,
    occurred_at timestamp with time zone NOT NULL,
    version smallint DEFAULT 1 NOT NULL
);
ALTER TABLE public.outbox ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.poll_counts (
    post_id uuid NOT NULL,
    voters integer NOT NULL,
    counts integer[] NOT NULL
);
CREATE TABLE public.poll_votes (
    post_id uuid NOT NULL,
    voter_id uuid,
    choices smallint[] NOT NULL,
    counted boolean DEFAULT false NOT NULL
);
CREATE TABLE public.post_drafts (
    id uuid NOT NULL,
    author_id uuid NOT NULL,
    text text NOT NULL,
    entities jsonb,
    tags text[] NOT NULL,
    audience text NOT NULL,
    list_id uuid,
    content_warning text,
    place jsonb,
    poll jsonb,
    poll_duration_s integer,
    quoted_id uuid,
    media jsonb,
    publish_at timestamp with time zone,
    problem text,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT post_drafts_check CHECK (((poll IS NULL) = (poll_duration_s IS NULL)))
);
CREATE TABLE public.post_hashtags (
    tag text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    post_id uuid NOT NULL,
    audience text,
    author_id uuid,
    list_id uuid
);
CREATE TABLE public.post_versions (
    post_id uuid NOT NULL,
    number integer NOT NULL,
    text text NOT NULL,
    entities jsonb,
    audience text NOT NULL,
    list_id uuid,
    created_at timestamp with time zone NOT NULL,
    content_warning text,
    media jsonb
);
CREATE TABLE public.posts (
    id uuid NOT NULL,
    author_id uuid NOT NULL,
    text text NOT NULL,
    entities jsonb,
    audience text NOT NULL,
    list_id uuid,
    created_at timestamp with time zone NOT NULL,
    edited_at timestamp with time zone,
    content_warning text,
    place jsonb,
    pinned_at timestamp with time zone,
    poll jsonb,
    media jsonb,
    media_epoch integer DEFAULT 0 NOT NULL,
    quoted_id uuid,
    reposted_id uuid,
    link_url text,
    link jsonb,
    link_fetched_at timestamp with time zone,
    CONSTRAINT posts_audience_check CHECK ((audience = ANY (ARRAY['public'::text, 'connections'::text, 'close_friends'::text, 'list'::text, 'only_me'::text]))),
    CONSTRAINT posts_check CHECK (((list_id IS NULL) OR (audience = 'list'::text))),
    CONSTRAINT posts_shares_one CHECK (((quoted_id IS NULL) OR (reposted_id IS NULL)))
);
CREATE TABLE public.presence_settings (
    account_id uuid NOT NULL,
    audience text NOT NULL,
    CONSTRAINT presence_settings_audience_check CHECK ((audience = ANY (ARRAY['nobody'::text, 'contacts'::text, 'everyone'::text])))
);
CREATE TABLE public.processed_events (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    processed_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.profile_images (
    account_id uuid NOT NULL,
    avatar jsonb,
    cover jsonb
);
CREATE TABLE public.profiles (
    account_id uuid NOT NULL,
    username text NOT NULL,
    name text NOT NULL,
    bio text DEFAULT ''::text NOT NULL,
    pronouns text DEFAULT ''::text NOT NULL,
    links text[] DEFAULT '{}'::text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT profiles_username_check CHECK ((username ~ '^[a-z0-9_.]{3,30}$'::text))
);
CREATE TABLE public.reactions (
    target_id uuid NOT NULL,
    target_kind text NOT NULL,
    account_id uuid NOT NULL,
    kind text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT reactions_kind_check CHECK ((kind = ANY (ARRAY['like'::text, 'love'::text, 'care'::text, 'haha'::text, 'wow'::text, 'sad'::text, 'angry'::text])))
);
CREATE TABLE public.relayed_events (
    "position" bigint NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    key text NOT NULL,
    payload jsonb NOT NULL,
    traceparent text,
    occurred_at timestamp with time zone NOT NULL,
    relayed_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.relayed_events ALTER COLUMN "position" ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.relayed_events_position_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.saved_posts (
    account_id uuid NOT NULL,
    post_id uuid NOT NULL,
    saved_at timestamp with time zone NOT NULL
);
CREATE TABLE public.schema_migrations (
    number integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    compatible_from integer NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.shard_answers (
    kind text NOT NULL,
    shard smallint NOT NULL,
    caller bytea NOT NULL,
    call bigint NOT NULL,
    answer bytea NOT NULL,
    answered_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
CREATE TABLE public.shard_coordinator (
    only_row boolean DEFAULT true NOT NULL,
    holder text NOT NULL,
    term bigint NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    map_version bigint NOT NULL,
    generation uuid DEFAULT gen_random_uuid() NOT NULL,
    code_version text DEFAULT ''::text NOT NULL,
    target_version text DEFAULT ''::text NOT NULL,
    deployed_at timestamp with time zone,
    CONSTRAINT shard_coordinator_only_row_check CHECK (only_row)
);
CREATE TABLE public.shard_generations (
    generation uuid NOT NULL,
    term bigint NOT NULL,
    from_version bigint NOT NULL
);
CREATE TABLE public.shard_hosts (
    host text NOT NULL,
    name text NOT NULL,
    node text NOT NULL,
    address text NOT NULL,
    socket text NOT NULL,
    draining boolean DEFAULT false NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    load jsonb DEFAULT '{}'::jsonb NOT NULL,
    code_version text DEFAULT ''::text NOT NULL,
    beat_at double precision DEFAULT '-Infinity'::double precision NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE public.shards (
    kind text NOT NULL,
    shard smallint NOT NULL,
    host text NOT NULL,
    epoch bigint NOT NULL,
    moving_to text DEFAULT ''::text NOT NULL,
    version bigint NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE public.share_links (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    post_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.stories (
    id uuid NOT NULL,
    author_id uuid NOT NULL,
    text text NOT NULL,
    media jsonb,
    audience text NOT NULL,
    list_id uuid,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    media_epoch integer DEFAULT 0 NOT NULL,
    mentions jsonb,
    CONSTRAINT stories_audience_check CHECK ((audience = ANY (ARRAY['public'::text, 'connections'::text, 'close_friends'::text, 'list'::text, 'only_me'::text]))),
    CONSTRAINT stories_check CHECK (((list_id IS NULL) OR (audience = 'list'::text))),
    CONSTRAINT stories_check1 CHECK (((text <> ''::text) OR (media IS NOT NULL)))
);
CREATE TABLE public.story_highlights (
    id uuid NOT NULL,
    author_id uuid NOT NULL,
    title text NOT NULL,
    audience text NOT NULL,
    list_id uuid,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT story_highlights_audience_check CHECK ((audience = ANY (ARRAY['public'::text, 'connections'::text, 'close_friends'::text, 'list'::text, 'only_me'::text]))),
    CONSTRAINT story_highlights_check CHECK (((list_id IS NULL) OR (audience = 'list'::text)))
);
CREATE TABLE public.story_views (
    story_id uuid NOT NULL,
    viewer_id uuid NOT NULL,
    author_id uuid NOT NULL,
    viewed_at timestamp with time zone NOT NULL
);
CREATE TABLE public.target_counts (
    target_id uuid NOT NULL,
    name text NOT NULL,
    shard smallint NOT NULL,
    count bigint NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE public.turn_commits (
    series uuid NOT NULL,
    number bigint NOT NULL,
    committed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE public.video_captions (
    video_id uuid NOT NULL,
    language text NOT NULL,
    label text NOT NULL,
    origin text NOT NULL,
    content text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT video_captions_origin_check CHECK ((origin = ANY (ARRAY['uploaded'::text, 'transcribed'::text])))
);
CREATE TABLE public.video_objects (
    key text NOT NULL,
    video_id uuid,
    name text,
    media_type text,
    size bigint,
    CONSTRAINT video_objects_published CHECK ((((name IS NULL) = (size IS NULL)) AND ((name IS NULL) = (media_type IS NULL))))
);
CREATE TABLE public.video_texts (
    video_id uuid NOT NULL,
    name text NOT NULL,
    media_type text NOT NULL,
    content text NOT NULL
);
CREATE TABLE public.videos (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    state text NOT NULL,
    problem text,
    percent smallint DEFAULT 0 NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    width integer,
    height integer,
    duration_ms bigint,
    streams jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    blurhash text,
    CONSTRAINT videos_percent_check CHECK (((percent >= 0) AND (percent <= 100))),
    CONSTRAINT videos_problem CHECK (((state = 'failed'::text) = (problem IS NOT NULL))),
    CONSTRAINT videos_state_check CHECK ((state = ANY (ARRAY['processing'::text, 'playable'::text, 'ready'::text, 'failed'::text])))
);
ALTER TABLE ONLY public.account_export_parts
    ADD CONSTRAINT account_export_parts_pkey PRIMARY KEY (export_id, number);
ALTER TABLE ONLY public.account_exports
    ADD CONSTRAINT account_exports_account_id_key UNIQUE (account_id);
ALTER TABLE ONLY public.account_exports
    ADD CONSTRAINT account_exports_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.account_settings
    ADD CONSTRAINT account_settings_pkey PRIMARY KEY (account_id);
ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_audit
    ADD CONSTRAINT auth_audit_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_log_in_failures
    ADD CONSTRAINT auth_log_in_failures_pkey PRIMARY KEY (subject);
ALTER TABLE ONLY public.auth_refresh_tokens
    ADD CONSTRAINT auth_refresh_tokens_pkey PRIMARY KEY (hash);
ALTER TABLE ONLY public.auth_sessions
    ADD CONSTRAINT auth_sessions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_sign_ups
    ADD CONSTRAINT auth_sign_ups_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.backup_segments
    ADD CONSTRAINT backup_segments_pkey PRIMARY KEY (account_id, digest);
ALTER TABLE ONLY public.backups
    ADD CONSTRAINT backups_pkey PRIMARY KEY (account_id);
ALTER TABLE ONLY public.blocks
    ADD CONSTRAINT blocks_pkey PRIMARY KEY (blocker_id, blocked_id);
ALTER TABLE ONLY public.close_friends
    ADD CONSTRAINT close_friends_pkey PRIMARY KEY (owner_id, member_id);
ALTER TABLE ONLY public.collection_posts
    ADD CONSTRAINT collection_posts_pkey PRIMARY KEY (account_id, post_id, collection_id);
ALTER TABLE ONLY public.collections
    ADD CONSTRAINT collections_pkey PRIMARY KEY (account_id, id);
ALTER TABLE ONLY public.comment_filters
    ADD CONSTRAINT comment_filters_pkey PRIMARY KEY (account_id);
ALTER TABLE ONLY public.comment_restrictions
    ADD CONSTRAINT comment_restrictions_pkey PRIMARY KEY (post_id);
ALTER TABLE ONLY public.comments
    ADD CONSTRAINT comments_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.connection_count_shards
    ADD CONSTRAINT connection_count_shards_pkey PRIMARY KEY (account_id, shard);
ALTER TABLE ONLY public.connection_counts
    ADD CONSTRAINT connection_counts_pkey PRIMARY KEY (account_id);
ALTER TABLE ONLY public.connections
    ADD CONSTRAINT connections_pkey PRIMARY KEY (owner_id, viewer_id);
ALTER TABLE ONLY public.conversation_members
    ADD CONSTRAINT conversation_members_pkey PRIMARY KEY (account_id, conversation_id);
ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.device_key_packages
    ADD CONSTRAINT device_key_packages_pkey PRIMARY KEY (account_id, device, suite, last_resort, reference);
ALTER TABLE ONLY public.device_key_versions
    ADD CONSTRAINT device_key_versions_pkey PRIMARY KEY (account_id, number);
ALTER TABLE ONLY public.device_links
    ADD CONSTRAINT device_links_account_id_session_id_key UNIQUE (account_id, session_id);
ALTER TABLE ONLY public.device_links
    ADD CONSTRAINT device_links_pkey PRIMARY KEY (account_id, id);
ALTER TABLE ONLY public.device_one_time_prekeys
    ADD CONSTRAINT device_one_time_prekeys_pkey PRIMARY KEY (account_id, device, kem, id);
ALTER TABLE ONLY public.device_prekeys
    ADD CONSTRAINT device_prekeys_pkey PRIMARY KEY (account_id, device);
ALTER TABLE ONLY public.device_rosters
    ADD CONSTRAINT device_rosters_pkey PRIMARY KEY (account_id);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_account_id_session_id_key UNIQUE (account_id, session_id);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_pkey PRIMARY KEY (account_id, number);
ALTER TABLE ONLY public.entity_snapshots
    ADD CONSTRAINT entity_snapshots_pkey PRIMARY KEY (kind, entity);
ALTER TABLE ONLY public.entity_timers
    ADD CONSTRAINT entity_timers_pkey PRIMARY KEY (kind, shard, entity, name);
ALTER TABLE ONLY public.event_consumers
    ADD CONSTRAINT event_consumers_pkey PRIMARY KEY (consumer);
ALTER TABLE ONLY public.event_dead_letters
    ADD CONSTRAINT event_dead_letters_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.event_log_head
    ADD CONSTRAINT event_log_head_pkey PRIMARY KEY (one);
ALTER TABLE ONLY public.event_log
    ADD CONSTRAINT event_log_pkey PRIMARY KEY (topic, partition, "position");
ALTER TABLE ONLY public.event_offsets
    ADD CONSTRAINT event_offsets_pkey PRIMARY KEY (consumer, topic, partition);
ALTER TABLE ONLY public.event_partitions
    ADD CONSTRAINT event_partitions_pkey PRIMARY KEY (partition);
ALTER TABLE ONLY public.event_readers
    ADD CONSTRAINT event_readers_pkey PRIMARY KEY (reader);
ALTER TABLE ONLY public.event_retries
    ADD CONSTRAINT event_retries_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.follow_days
    ADD CONSTRAINT follow_days_pkey PRIMARY KEY (account_id);
ALTER TABLE ONLY public.friend_requests
    ADD CONSTRAINT friend_requests_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.group_devices
    ADD CONSTRAINT group_devices_pkey PRIMARY KEY (account_id, device, group_id);
ALTER TABLE ONLY public.group_invitations
    ADD CONSTRAINT group_invitations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.group_invitations
    ADD CONSTRAINT group_invitations_token_digest_key UNIQUE (token_digest);
ALTER TABLE ONLY public.group_join_requests
    ADD CONSTRAINT group_join_requests_group_id_account_id_key UNIQUE (group_id, account_id);
ALTER TABLE ONLY public.group_join_requests
    ADD CONSTRAINT group_join_requests_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.group_joiners
    ADD CONSTRAINT group_joiners_pkey PRIMARY KEY (account_id, device, group_id);
ALTER TABLE ONLY public.group_members
    ADD CONSTRAINT group_members_pkey PRIMARY KEY (account_id, group_id);
ALTER TABLE ONLY public.group_messages
    ADD CONSTRAINT group_messages_pkey PRIMARY KEY (group_id, seq);
ALTER TABLE ONLY public.group_parts
    ADD CONSTRAINT group_parts_pkey PRIMARY KEY (group_id, name);
ALTER TABLE ONLY public.group_staged_changes
    ADD CONSTRAINT group_staged_changes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.group_welcomes
    ADD CONSTRAINT group_welcomes_pkey PRIMARY KEY (group_id, epoch);
ALTER TABLE ONLY public.groups
    ADD CONSTRAINT groups_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.hashtag_counts
    ADD CONSTRAINT hashtag_counts_pkey PRIMARY KEY (tag, day);
ALTER TABLE ONLY public.highlighted_stories
    ADD CONSTRAINT highlighted_stories_pkey PRIMARY KEY (highlight_id, story_id);
ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (scope, key);
ALTER TABLE ONLY public.key_directory_epochs
    ADD CONSTRAINT key_directory_epochs_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.key_directory_log
    ADD CONSTRAINT key_directory_log_pkey PRIMARY KEY (level, "position");
ALTER TABLE ONLY public.key_directory_map
    ADD CONSTRAINT key_directory_map_pkey PRIMARY KEY (prefix, epoch);
ALTER TABLE ONLY public.list_members
    ADD CONSTRAINT list_members_pkey PRIMARY KEY (list_id, member_id);
ALTER TABLE ONLY public.lists
    ADD CONSTRAINT lists_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.media_evidence
    ADD CONSTRAINT media_evidence_pkey PRIMARY KEY (media_id);
ALTER TABLE ONLY public.media_files
    ADD CONSTRAINT media_files_pkey PRIMARY KEY (media_id, name);
ALTER TABLE ONLY public.media_garbage
    ADD CONSTRAINT media_garbage_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.media_objects
    ADD CONSTRAINT media_objects_pkey PRIMARY KEY (digest);
ALTER TABLE ONLY public.media
    ADD CONSTRAINT media_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.media_upload_parts
    ADD CONSTRAINT media_upload_parts_pkey PRIMARY KEY (upload_id, start);
ALTER TABLE ONLY public.media_uploads
    ADD CONSTRAINT media_uploads_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.message_payloads
    ADD CONSTRAINT message_payloads_pkey PRIMARY KEY (account_id, device, seq, conversation_id);
ALTER TABLE ONLY public.message_reports
    ADD CONSTRAINT message_reports_pkey PRIMARY KEY (reporter_account_id, id);
ALTER TABLE ONLY public.message_reports
    ADD CONSTRAINT message_reports_reporter_account_id_conversation_id_commitm_key UNIQUE (reporter_account_id, conversation_id, commitment);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (conversation_id, seq);
ALTER TABLE ONLY public.mutes
    ADD CONSTRAINT mutes_pkey PRIMARY KEY (muter_id, muted_id);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.poll_counts
    ADD CONSTRAINT poll_counts_pkey PRIMARY KEY (post_id);
ALTER TABLE ONLY public.poll_votes
    ADD CONSTRAINT poll_votes_post_id_voter_id_key UNIQUE (post_id, voter_id);
ALTER TABLE ONLY public.post_drafts
    ADD CONSTRAINT post_drafts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.post_hashtags
    ADD CONSTRAINT post_hashtags_pkey PRIMARY KEY (tag, created_at, post_id);
ALTER TABLE ONLY public.post_versions
    ADD CONSTRAINT post_versions_pkey PRIMARY KEY (post_id, number);
ALTER TABLE ONLY public.posts
    ADD CONSTRAINT posts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.presence_settings
    ADD CONSTRAINT presence_settings_pkey PRIMARY KEY (account_id);
ALTER TABLE ONLY public.processed_events
    ADD CONSTRAINT processed_events_pkey PRIMARY KEY (consumer, event_id);
ALTER TABLE ONLY public.profile_images
    ADD CONSTRAINT profile_images_pkey PRIMARY KEY (account_id);
ALTER TABLE ONLY public.profiles
    ADD CONSTRAINT profiles_pkey PRIMARY KEY (account_id);
ALTER TABLE ONLY public.profiles
    ADD CONSTRAINT profiles_username_key UNIQUE (username);
ALTER TABLE ONLY public.reactions
    ADD CONSTRAINT reactions_pkey PRIMARY KEY (target_id, account_id);
ALTER TABLE ONLY public.relayed_events
    ADD CONSTRAINT relayed_events_pkey PRIMARY KEY ("position");
ALTER TABLE ONLY public.saved_posts
    ADD CONSTRAINT saved_posts_pkey PRIMARY KEY (account_id, post_id);
ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.shard_answers
    ADD CONSTRAINT shard_answers_pkey PRIMARY KEY (kind, shard, caller, call);
ALTER TABLE ONLY public.shard_coordinator
    ADD CONSTRAINT shard_coordinator_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY public.shard_generations
    ADD CONSTRAINT shard_generations_pkey PRIMARY KEY (generation);
ALTER TABLE ONLY public.shard_hosts
    ADD CONSTRAINT shard_hosts_pkey PRIMARY KEY (host);
ALTER TABLE ONLY public.shards
    ADD CONSTRAINT shards_pkey PRIMARY KEY (kind, shard);
ALTER TABLE ONLY public.share_links
    ADD CONSTRAINT share_links_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.stories
    ADD CONSTRAINT stories_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.story_highlights
    ADD CONSTRAINT story_highlights_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.story_views
    ADD CONSTRAINT story_views_pkey PRIMARY KEY (story_id, viewer_id);
ALTER TABLE ONLY public.target_counts
    ADD CONSTRAINT target_counts_pkey PRIMARY KEY (target_id, name, shard);
ALTER TABLE ONLY public.turn_commits
    ADD CONSTRAINT turn_commits_pkey PRIMARY KEY (series);
ALTER TABLE ONLY public.video_captions
    ADD CONSTRAINT video_captions_pkey PRIMARY KEY (video_id, language);
ALTER TABLE ONLY public.video_objects
    ADD CONSTRAINT video_objects_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.video_texts
    ADD CONSTRAINT video_texts_pkey PRIMARY KEY (video_id, name);
ALTER TABLE ONLY public.videos
    ADD CONSTRAINT videos_pkey PRIMARY KEY (id);
CREATE INDEX account_exports_expired ON public.account_exports USING btree (expires_at);
CREATE INDEX accounts_deletes_at ON public.accounts USING btree (deletes_at) WHERE (state = ANY (ARRAY['deleting'::text, 'deleted'::text]));
CREATE UNIQUE INDEX accounts_email ON public.accounts USING btree (lower(email));
CREATE INDEX accounts_inactive ON public.accounts USING btree (id) WHERE (state <> 'active'::text);
CREATE INDEX attachments_expires_at ON public.attachments USING btree (expires_at);
CREATE INDEX attachments_of_account ON public.attachments USING btree (account_id);
CREATE INDEX auth_audit_account ON public.auth_audit USING btree (account_id, happened_at DESC, id DESC);
CREATE INDEX auth_log_in_failures_age ON public.auth_log_in_failures USING btree (window_started_at);
CREATE INDEX auth_refresh_tokens_expired ON public.auth_refresh_tokens USING btree (expires_at);
CREATE INDEX auth_refresh_tokens_session ON public.auth_refresh_tokens USING btree (session_id, expires_at);
CREATE INDEX auth_sessions_account ON public.auth_sessions USING btree (account_id, created_at DESC, id DESC);
CREATE INDEX auth_sessions_expired ON public.auth_sessions USING btree (expires_at);
CREATE INDEX auth_sign_ups_created_at ON public.auth_sign_ups USING btree (created_at);
CREATE INDEX auth_sign_ups_email ON public.auth_sign_ups USING btree (lower(email), created_at DESC);
CREATE INDEX auth_sign_ups_requester ON public.auth_sign_ups USING btree (requester, created_at);
CREATE INDEX blocks_by_blocked ON public.blocks USING btree (blocked_id);
CREATE INDEX blocks_newest ON public.blocks USING btree (blocker_id, created_at, blocked_id);
CREATE INDEX close_friends_by_member ON public.close_friends USING btree (member_id);
CREATE INDEX close_friends_newest ON public.close_friends USING btree (owner_id, created_at, member_id);
CREATE INDEX collection_posts_newest ON public.collection_posts USING btree (account_id, collection_id, added_at, post_id);
CREATE UNIQUE INDEX collections_by_name ON public.collections USING btree (account_id, lower(name));
CREATE INDEX collections_newest ON public.collections USING btree (account_id, created_at, id);
CREATE INDEX comments_newest ON public.comments USING btree (level_id, created_at, id);
CREATE INDEX comments_of_author ON public.comments USING btree (author_id, id) WHERE (author_id IS NOT NULL);
CREATE INDEX comments_of_parent ON public.comments USING btree (parent_id) WHERE (parent_id IS NOT NULL);
CREATE INDEX comments_of_post ON public.comments USING btree (post_id);
CREATE INDEX comments_relevant ON public.comments USING btree (level_id, score, id);
CREATE INDEX connections_by_owner ON public.connections USING btree (owner_id, created_at, viewer_id);
CREATE INDEX connections_by_viewer ON public.connections USING btree (viewer_id, created_at, owner_id);
CREATE INDEX conversation_members_conversation ON public.conversation_members USING btree (conversation_id);
CREATE INDEX conversation_members_invited_by ON public.conversation_members USING btree (invited_by) WHERE (invited_by IS NOT NULL);
CREATE INDEX conversation_members_newest ON public.conversation_members USING btree (account_id, state, joined_at, conversation_id);
CREATE INDEX conversations_expires_at ON public.conversations USING btree (expires_at) WHERE (expires_at IS NOT NULL);
CREATE INDEX device_key_packages_expired ON public.device_key_packages USING btree (expires_at);
CREATE INDEX device_key_versions_oldest ON public.device_key_versions USING btree (submitted_at, account_id) WHERE (shown_in IS NULL);
CREATE INDEX device_key_versions_submitted ON public.device_key_versions USING btree (account_id, number) WHERE (shown_in IS NULL);
CREATE INDEX device_links_expired ON public.device_links USING btree (expires_at);
CREATE INDEX entity_timers_due ON public.entity_timers USING btree (kind, shard, due_at);
CREATE INDEX event_retries_due_at ON public.event_retries USING btree (due_at);
CREATE INDEX event_retries_key ON public.event_retries USING btree (consumer, key, id);
CREATE INDEX friend_requests_by_recipient ON public.friend_requests USING btree (recipient_id);
CREATE UNIQUE INDEX friend_requests_open ON public.friend_requests USING btree (sender_id, recipient_id) WHERE (state = ANY (ARRAY['waiting'::text, 'refused'::text]));
CREATE INDEX friend_requests_received ON public.friend_requests USING btree (recipient_id, created_at, id) WHERE (state = 'waiting'::text);
CREATE INDEX friend_requests_refused ON public.friend_requests USING btree (sender_id, recipient_id, refused_at) WHERE (refused_at IS NOT NULL);
CREATE INDEX friend_requests_sent ON public.friend_requests USING btree (sender_id, created_at, id);
CREATE INDEX group_devices_group ON public.group_devices USING btree (group_id);
CREATE INDEX group_invitations_account ON public.group_invitations USING btree (account_id);
CREATE INDEX group_invitations_expires_at ON public.group_invitations USING btree (expires_at);
CREATE INDEX group_invitations_group ON public.group_invitations USING btree (group_id, created_at, id);
CREATE INDEX group_join_requests_account ON public.group_join_requests USING btree (account_id, asked_at);
CREATE INDEX group_join_requests_expires_at ON public.group_join_requests USING btree (expires_at);
CREATE INDEX group_join_requests_group ON public.group_join_requests USING btree (group_id, asked_at, id);
CREATE INDEX group_join_requests_invitation ON public.group_join_requests USING btree (invitation_id);
CREATE INDEX group_joiners_group ON public.group_joiners USING btree (group_id);
CREATE INDEX group_members_group ON public.group_members USING btree (group_id);
CREATE UNIQUE INDEX group_messages_commits ON public.group_messages USING btree (group_id, epoch) WHERE (content = 'commit'::text);
CREATE INDEX group_messages_expires_at ON public.group_messages USING btree (expires_at);
CREATE INDEX group_staged_changes_created_at ON public.group_staged_changes USING btree (created_at);
CREATE INDEX group_welcomes_expires_at ON public.group_welcomes USING btree (expires_at);
CREATE INDEX highlighted_stories_story ON public.highlighted_stories USING btree (story_id);
CREATE INDEX idempotency_keys_created ON public.idempotency_keys USING btree (scope, created_id) WHERE (created_id IS NOT NULL);
CREATE INDEX idempotency_keys_created_at ON public.idempotency_keys USING btree (created_at);
CREATE INDEX key_directory_epochs_closed ON public.key_directory_epochs USING btree (closed_at_ms);
CREATE INDEX list_members_by_member ON public.list_members USING btree (member_id);
CREATE INDEX list_members_newest ON public.list_members USING btree (list_id, created_at, member_id);
CREATE UNIQUE INDEX lists_by_name ON public.lists USING btree (owner_id, lower(name));
CREATE INDEX lists_newest ON public.lists USING btree (owner_id, created_at, id);
CREATE INDEX media_attached_to ON public.media USING btree (attached_to) WHERE (attached_to IS NOT NULL);
CREATE INDEX media_evidence_due_at ON public.media_evidence USING btree (due_at);
CREATE INDEX media_evidence_of_object ON public.media_evidence USING btree (digest);
CREATE INDEX media_files_of_object ON public.media_files USING btree (digest);
CREATE INDEX media_garbage_due_at ON public.media_garbage USING btree (due_at);
CREATE INDEX media_of_account ON public.media USING btree (account_id, created_at DESC, id DESC);
CREATE INDEX media_of_object ON public.media USING btree (digest);
CREATE INDEX media_unattached ON public.media USING btree (COALESCE(released_at, created_at)) WHERE (attached_to IS NULL);
CREATE INDEX media_uploads_expires_at ON public.media_uploads USING btree (expires_at);
CREATE INDEX media_uploads_of_account ON public.media_uploads USING btree (account_id);
CREATE INDEX message_payloads_expires_at ON public.message_payloads USING btree (expires_at);
CREATE INDEX message_reports_by_id ON public.message_reports USING btree (id);
CREATE INDEX message_reports_of_reporter ON public.message_reports USING btree (reporter_account_id, reported_at);
CREATE INDEX message_reports_of_sender ON public.message_reports USING btree (sender_account_id);
CREATE INDEX message_reports_reported_at ON public.message_reports USING btree (reported_at);
CREATE INDEX messages_sender ON public.messages USING btree (conversation_id, sender_account_id, sender_device, seq);
CREATE INDEX messages_sent_at ON public.messages USING btree (sent_at);
CREATE INDEX mutes_by_muted ON public.mutes USING btree (muted_id);
CREATE INDEX mutes_newest ON public.mutes USING btree (muter_id, created_at, muted_id);
CREATE INDEX poll_votes_of_voter ON public.poll_votes USING btree (voter_id, post_id) WHERE (voter_id IS NOT NULL);
CREATE INDEX poll_votes_to_count ON public.poll_votes USING btree (post_id) WHERE (NOT counted);
CREATE INDEX post_drafts_author ON public.post_drafts USING btree (author_id, created_at, id);
CREATE INDEX post_drafts_publish_at ON public.post_drafts USING btree (publish_at) WHERE (publish_at IS NOT NULL);
CREATE INDEX post_hashtags_of_list ON public.post_hashtags USING btree (list_id, tag, created_at, post_id) WHERE (audience = 'list'::text);
CREATE INDEX post_hashtags_post ON public.post_hashtags USING btree (post_id);
CREATE INDEX post_hashtags_public ON public.post_hashtags USING btree (tag, created_at, post_id) WHERE (audience = 'public'::text);
CREATE INDEX post_hashtags_restricted ON public.post_hashtags USING btree (author_id, audience, tag, created_at, post_id) WHERE (audience <> 'public'::text);
CREATE INDEX post_versions_list ON public.post_versions USING btree (list_id) WHERE (list_id IS NOT NULL);
CREATE INDEX posts_author ON public.posts USING btree (author_id, created_at, id) INCLUDE (audience, list_id);
CREATE INDEX posts_link ON public.posts USING btree (md5(link_url)) WHERE (link_url IS NOT NULL);
CREATE INDEX posts_list ON public.posts USING btree (list_id) WHERE (list_id IS NOT NULL);
CREATE INDEX posts_pinned ON public.posts USING btree (author_id) WHERE (pinned_at IS NOT NULL);
CREATE INDEX posts_quotes_newest ON public.posts USING btree (quoted_id, created_at, id) WHERE ((quoted_id IS NOT NULL) AND (audience = 'public'::text));
CREATE INDEX posts_quotes_of_list ON public.posts USING btree (list_id, quoted_id, created_at, id) WHERE ((quoted_id IS NOT NULL) AND (audience = 'list'::text));
CREATE INDEX posts_quotes_restricted ON public.posts USING btree (quoted_id, author_id, audience, created_at, id) WHERE ((quoted_id IS NOT NULL) AND (audience <> 'public'::text));
CREATE UNIQUE INDEX posts_reposted_once ON public.posts USING btree (author_id, reposted_id) WHERE (reposted_id IS NOT NULL);
CREATE INDEX posts_reposts_newest ON public.posts USING btree (reposted_id, created_at, id) WHERE (reposted_id IS NOT NULL);
CREATE INDEX processed_events_processed_at ON public.processed_events USING btree (processed_at);
CREATE INDEX reactions_newest ON public.reactions USING btree (target_id, kind, created_at, account_id);
CREATE INDEX reactions_of_account ON public.reactions USING btree (account_id);
CREATE INDEX relayed_events_relayed_at ON public.relayed_events USING btree (relayed_at);
CREATE INDEX saved_posts_newest ON public.saved_posts USING btree (account_id, saved_at, post_id);
CREATE INDEX saved_posts_of_post ON public.saved_posts USING btree (post_id);
CREATE INDEX shard_answers_age ON public.shard_answers USING btree (answered_at);
CREATE INDEX shard_generations_term ON public.shard_generations USING btree (term);
CREATE INDEX share_links_expired ON public.share_links USING btree (expires_at);
CREATE INDEX share_links_of_account ON public.share_links USING btree (account_id, created_at, id);
CREATE INDEX share_links_of_post ON public.share_links USING btree (post_id);
CREATE INDEX stories_author ON public.stories USING btree (author_id, created_at, id);
CREATE INDEX stories_list ON public.stories USING btree (list_id) WHERE (list_id IS NOT NULL);
CREATE INDEX stories_live ON public.stories USING btree (author_id, expires_at);
CREATE INDEX story_highlights_author ON public.story_highlights USING btree (author_id, created_at, id);
CREATE INDEX story_highlights_list ON public.story_highlights USING btree (list_id) WHERE (list_id IS NOT NULL);
CREATE INDEX story_views_newest ON public.story_views USING btree (story_id, viewed_at, viewer_id);
CREATE INDEX story_views_viewer ON public.story_views USING btree (viewer_id, author_id, viewed_at);
CREATE INDEX video_objects_of_video ON public.video_objects USING btree (video_id, name);
CREATE INDEX video_objects_released ON public.video_objects USING btree (key) WHERE (video_id IS NULL);
CREATE INDEX videos_of_account ON public.videos USING btree (account_id);
CREATE TRIGGER auth_audit_append_only BEFORE DELETE OR UPDATE ON public.auth_audit FOR EACH ROW EXECUTE FUNCTION public.auth_audit_refuse_change();
CREATE TRIGGER post_hashtags_fill BEFORE INSERT ON public.post_hashtags FOR EACH ROW WHEN (((new.audience IS NULL) OR ((new.audience = 'list'::text) AND (new.list_id IS NULL)))) EXECUTE FUNCTION public.fill_post_hashtag();
CREATE TRIGGER posts_audience AFTER UPDATE OF audience, list_id ON public.posts FOR EACH ROW WHEN (((new.audience <> old.audience) OR ((new.list_id IS NOT NULL) AND (new.list_id IS DISTINCT FROM old.list_id)))) EXECUTE FUNCTION public.follow_post_audience();
ALTER TABLE ONLY public.account_export_parts
    ADD CONSTRAINT account_export_parts_export_id_fkey FOREIGN KEY (export_id) REFERENCES public.account_exports(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.account_exports
    ADD CONSTRAINT account_exports_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.account_settings
    ADD CONSTRAINT account_settings_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.auth_audit
    ADD CONSTRAINT auth_audit_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.auth_refresh_tokens
    ADD CONSTRAINT auth_refresh_tokens_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.auth_sessions(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.auth_sessions
    ADD CONSTRAINT auth_sessions_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.backup_segments
    ADD CONSTRAINT backup_segments_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.backups
    ADD CONSTRAINT backups_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.blocks
    ADD CONSTRAINT blocks_blocked_id_fkey FOREIGN KEY (blocked_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.blocks
    ADD CONSTRAINT blocks_blocker_id_fkey FOREIGN KEY (blocker_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.close_friends
    ADD CONSTRAINT close_friends_member_id_fkey FOREIGN KEY (member_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.close_friends
    ADD CONSTRAINT close_friends_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.collection_posts
    ADD CONSTRAINT collection_posts_account_id_collection_id_fkey FOREIGN KEY (account_id, collection_id) REFERENCES public.collections(account_id, id) ON DELETE CASCADE;
ALTER TABLE ONLY public.collection_posts
    ADD CONSTRAINT collection_posts_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.collection_posts
    ADD CONSTRAINT collection_posts_account_id_post_id_fkey FOREIGN KEY (account_id, post_id) REFERENCES public.saved_posts(account_id, post_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.collections
    ADD CONSTRAINT collections_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.comment_filters
    ADD CONSTRAINT comment_filters_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.comment_restrictions
    ADD CONSTRAINT comment_restrictions_post_id_fkey FOREIGN KEY (post_id) REFERENCES public.posts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.comments
    ADD CONSTRAINT comments_author_id_fkey FOREIGN KEY (author_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.comments
    ADD CONSTRAINT comments_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES public.comments(id);
ALTER TABLE ONLY public.connection_count_shards
    ADD CONSTRAINT connection_count_shards_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.connection_counts
    ADD CONSTRAINT connection_counts_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.connections
    ADD CONSTRAINT connections_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.connections
    ADD CONSTRAINT connections_viewer_id_fkey FOREIGN KEY (viewer_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.conversation_members
    ADD CONSTRAINT conversation_members_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.conversation_members
    ADD CONSTRAINT conversation_members_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.conversations(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.conversation_members
    ADD CONSTRAINT conversation_members_invited_by_fkey FOREIGN KEY (invited_by) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.device_key_packages
    ADD CONSTRAINT device_key_packages_account_id_device_fkey FOREIGN KEY (account_id, device) REFERENCES public.devices(account_id, number) ON DELETE CASCADE;
ALTER TABLE ONLY public.device_key_packages
    ADD CONSTRAINT device_key_packages_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.device_key_versions
    ADD CONSTRAINT device_key_versions_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.device_links
    ADD CONSTRAINT device_links_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.device_one_time_prekeys
    ADD CONSTRAINT device_one_time_prekeys_account_id_device_fkey FOREIGN KEY (account_id, device) REFERENCES public.devices(account_id, number) ON DELETE CASCADE;
ALTER TABLE ONLY public.device_one_time_prekeys
    ADD CONSTRAINT device_one_time_prekeys_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.device_prekeys
    ADD CONSTRAINT device_prekeys_account_id_device_fkey FOREIGN KEY (account_id, device) REFERENCES public.devices(account_id, number) ON DELETE CASCADE;
ALTER TABLE ONLY public.device_prekeys
    ADD CONSTRAINT device_prekeys_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.device_rosters
    ADD CONSTRAINT device_rosters_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.follow_days
    ADD CONSTRAINT follow_days_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.friend_requests
    ADD CONSTRAINT friend_requests_recipient_id_fkey FOREIGN KEY (recipient_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.friend_requests
    ADD CONSTRAINT friend_requests_sender_id_fkey FOREIGN KEY (sender_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.group_devices
    ADD CONSTRAINT group_devices_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.group_devices
    ADD CONSTRAINT group_devices_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.groups(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.group_invitations
    ADD CONSTRAINT group_invitations_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.group_invitations
    ADD CONSTRAINT group_invitations_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.groups(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.group_join_requests
    ADD CONSTRAINT group_join_requests_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.group_join_requests
    ADD CONSTRAINT group_join_requests_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.groups(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.group_joiners
    ADD CONSTRAINT group_joiners_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.group_joiners
    ADD CONSTRAINT group_joiners_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.groups(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.group_members
    ADD CONSTRAINT group_members_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.group_members
    ADD CONSTRAINT group_members_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.groups(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.group_parts
    ADD CONSTRAINT group_parts_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.groups(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.group_welcomes
    ADD CONSTRAINT group_welcomes_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.groups(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.highlighted_stories
    ADD CONSTRAINT highlighted_stories_highlight_id_fkey FOREIGN KEY (highlight_id) REFERENCES public.story_highlights(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.highlighted_stories
    ADD CONSTRAINT highlighted_stories_story_id_fkey FOREIGN KEY (story_id) REFERENCES public.stories(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.list_members
    ADD CONSTRAINT list_members_list_id_fkey FOREIGN KEY (list_id) REFERENCES public.lists(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.list_members
    ADD CONSTRAINT list_members_member_id_fkey FOREIGN KEY (member_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.lists
    ADD CONSTRAINT lists_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.media
    ADD CONSTRAINT media_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.media
    ADD CONSTRAINT media_digest_fkey FOREIGN KEY (digest) REFERENCES public.media_objects(digest);
ALTER TABLE ONLY public.media_evidence
    ADD CONSTRAINT media_evidence_digest_fkey FOREIGN KEY (digest) REFERENCES public.media_objects(digest);
ALTER TABLE ONLY public.media_files
    ADD CONSTRAINT media_files_digest_fkey FOREIGN KEY (digest) REFERENCES public.media_objects(digest);
ALTER TABLE ONLY public.media_files
    ADD CONSTRAINT media_files_media_id_fkey FOREIGN KEY (media_id) REFERENCES public.media(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.media_upload_parts
    ADD CONSTRAINT media_upload_parts_upload_id_fkey FOREIGN KEY (upload_id) REFERENCES public.media_uploads(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.media_uploads
    ADD CONSTRAINT media_uploads_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.message_reports
    ADD CONSTRAINT message_reports_reporter_account_id_fkey FOREIGN KEY (reporter_account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.message_reports
    ADD CONSTRAINT message_reports_sender_account_id_fkey FOREIGN KEY (sender_account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.mutes
    ADD CONSTRAINT mutes_muted_id_fkey FOREIGN KEY (muted_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.mutes
    ADD CONSTRAINT mutes_muter_id_fkey FOREIGN KEY (muter_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.poll_counts
    ADD CONSTRAINT poll_counts_post_id_fkey FOREIGN KEY (post_id) REFERENCES public.posts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.poll_votes
    ADD CONSTRAINT poll_votes_post_id_fkey FOREIGN KEY (post_id) REFERENCES public.posts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.poll_votes
    ADD CONSTRAINT poll_votes_voter_id_fkey FOREIGN KEY (voter_id) REFERENCES public.accounts(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.post_drafts
    ADD CONSTRAINT post_drafts_author_id_fkey FOREIGN KEY (author_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.post_hashtags
    ADD CONSTRAINT post_hashtags_post_id_fkey FOREIGN KEY (post_id) REFERENCES public.posts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.post_versions
    ADD CONSTRAINT post_versions_list_id_fkey FOREIGN KEY (list_id) REFERENCES public.lists(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.post_versions
    ADD CONSTRAINT post_versions_post_id_fkey FOREIGN KEY (post_id) REFERENCES public.posts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.posts
    ADD CONSTRAINT posts_author_id_fkey FOREIGN KEY (author_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.posts
    ADD CONSTRAINT posts_list_id_fkey FOREIGN KEY (list_id) REFERENCES public.lists(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.presence_settings
    ADD CONSTRAINT presence_settings_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.profile_images
    ADD CONSTRAINT profile_images_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.profiles
    ADD CONSTRAINT profiles_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.reactions
    ADD CONSTRAINT reactions_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.saved_posts
    ADD CONSTRAINT saved_posts_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.share_links
    ADD CONSTRAINT share_links_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.stories
    ADD CONSTRAINT stories_author_id_fkey FOREIGN KEY (author_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.stories
    ADD CONSTRAINT stories_list_id_fkey FOREIGN KEY (list_id) REFERENCES public.lists(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.story_highlights
    ADD CONSTRAINT story_highlights_author_id_fkey FOREIGN KEY (author_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.story_highlights
    ADD CONSTRAINT story_highlights_list_id_fkey FOREIGN KEY (list_id) REFERENCES public.lists(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.story_views
    ADD CONSTRAINT story_views_story_id_fkey FOREIGN KEY (story_id) REFERENCES public.stories(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.story_views
    ADD CONSTRAINT story_views_viewer_id_fkey FOREIGN KEY (viewer_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.video_captions
    ADD CONSTRAINT video_captions_video_id_fkey FOREIGN KEY (video_id) REFERENCES public.videos(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.video_objects
    ADD CONSTRAINT video_objects_video_id_fkey FOREIGN KEY (video_id) REFERENCES public.videos(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.video_texts
    ADD CONSTRAINT video_texts_video_id_fkey FOREIGN KEY (video_id) REFERENCES public.videos(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.videos
    ADD CONSTRAINT videos_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.videos
    ADD CONSTRAINT videos_id_fkey FOREIGN KEY (id) REFERENCES public.media(id) ON DELETE CASCADE;
