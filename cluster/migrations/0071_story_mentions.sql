-- compatible-from: 6
-- Null: nobody is mentioned.
alter table stories add column mentions jsonb;
-- poll_votes_of_voter begins with the same column. Both wait for locks for two seconds at most.
drop index poll_votes_voter;
