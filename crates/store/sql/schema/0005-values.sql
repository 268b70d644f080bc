-- Values that resources are found by and that some schemas want to be unique, prepared for comparison: one row a value. The
-- directory says of which attributes, and remembers in memo which are filled in.

create table value (
    kind {key} not null,
    -- The attribute's full name, as "emails.value".
    path {key} not null,
    key {key} not null,
    id {key} not null,
    primary key (kind, path, key, id)
) {without_rowid};

-- What the program remembers for itself.
create table memo (
    name {key} primary key,
    body text not null
) {without_rowid};
