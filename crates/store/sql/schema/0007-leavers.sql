-- Leavers who are switched off and gone have a mark of their own (GONE in link.rs), so that links without one are few whatever
-- their state: those who were switched off for being out of scope, and are gone since, are among them.
drop index link_unmarked;
create index link_unmarked on link (job, class, source_id) where mark = '';
