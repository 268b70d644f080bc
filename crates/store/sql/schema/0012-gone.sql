-- The source has said that the object is gone: who waits for his leave to be tried again is not asked for once more.
alter table escrow add column gone bigint not null default 0;
