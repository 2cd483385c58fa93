-- compatible-from: 1
-- The state of each account (features/accounts/machine.py). Code of former versions makes active accounts only.

alter table accounts
    add column state text not null default 'active'
        check (state in ('active', 'deactivated', 'suspended', 'deleting', 'deleted')),
    add column state_changed_at timestamptz,
    -- The end of the grace period, after which the account is erased.
    add column deletes_at timestamptz,
    -- What the end of a suspension returns to.
    add column resumes_as text check (resumes_as in ('active', 'deactivated', 'deleting')),
    add constraint accounts_suspension check ((state = 'suspended') = (resumes_as is not null)),
    add constraint accounts_deletion check (
        (deletes_at is not null) = (state in ('deleting', 'deleted') or resumes_as is not distinct from 'deleting')
    );

-- Every statement that shows people asks whether they are active: few are not, so this index stays small.
create index accounts_inactive on accounts (id) where state <> 'active';
create index accounts_deletes_at on accounts (deletes_at) where state in ('deleting', 'deleted');
