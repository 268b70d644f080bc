-- Values that resources are found by and that some schemas want to be unique. The directory says of which attributes, and
-- remembers in memo which are filled in.
--
-- 64 bits stand for a value: texts come in no order, so that each new one dirties a page of its own; the fewer pages the
-- better. Rows go to the end, and the index is all that is searched. Whoever finds something compares the value itself.
create table value (
    -- Stands for the resource type and the attribute.
    slot bigint not null,
    -- Stands for slot and value.
    hash bigint not null,
    id {key} not null
);
create index value_hash on value (hash);

-- What the program remembers for itself.
create table memo (
    name {key} primary key,
    body text not null
) {without_rowid};
