-- compatible-from: 6
-- no-transaction
create index concurrently poll_votes_of_voter on poll_votes (voter_id, post_id) where voter_id is not null;
