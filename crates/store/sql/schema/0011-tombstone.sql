-- Finds the deleted among the living, who are not in it.
create index resource_deleted on resource (kind, seq) where deleted is not null;
