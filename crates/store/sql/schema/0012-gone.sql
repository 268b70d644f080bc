-- The source has said that the object is gone: who waits for his leave to be tried again is not asked for once more.
alter table escrow add column gone bigint not null default 0;
-- What a person is asked about; and which question was answered.
alter table escrow add column situation text;
alter table answer add column question text not null default '';
