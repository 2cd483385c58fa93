-- compatible-from: 2
-- Addresses of a medium's content are good for one epoch (features/media/addresses.py).
alter table media add column epoch integer not null default 0 check (epoch >= 0);
