-- compatible-from: 1
-- Who may see whether somebody is there. Who has no row shows it to contacts.

create table presence_settings (
    account_id uuid primary key references accounts (id) on delete cascade,
    audience text not null check (audience in ('nobody', 'contacts', 'everyone'))
);
