-- $1 name, $2 body, $3 author, $4 now.
insert into config (name, version, body, author, created)
select $1, coalesce(max(version), 0) + 1, $2, $3, $4 from config where name = $1
returning version
