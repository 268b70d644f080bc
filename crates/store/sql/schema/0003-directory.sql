-- The directory's own objects: users, groups and whatever resource type is configured later.

insert into sequence (name, value) values ('directory', 0);

-- With row ids, unlike most tables: bodies are long, and five indexes would repeat the key.
create table resource (
    kind {key} not null,
    id {key} not null,
    seq bigint not null,
    version bigint not null,
    -- A living user's userName, prepared for comparison; unique.
    user_name {key},
    -- Another living resource's displayName, prepared for comparison.
    name_key {key},
    external_id {key},
    -- The id of the user this one reports to, so that a deletion finds who points at it.
    manager {key},
    created bigint not null,
    modified bigint not null,
    deleted bigint,
    body text not null,
    primary key (kind, id)
);
-- None of these starts with the kind, and their queries do not name it: SQLite, which has no statistics here, would rather
-- read all of a kind by the primary key than look up a list of five hundred values.
create unique index resource_user on resource (user_name) where user_name is not null;
create index resource_name on resource (name_key) where name_key is not null;
create index resource_external on resource (external_id) where external_id is not null;
create index resource_manager on resource (manager) where manager is not null;
create index resource_seq on resource (kind, seq);

create table member (
    group_id {key} not null,
    member_id {key} not null,
    member_kind {key} not null,
    primary key (group_id, member_id)
) {without_rowid};
create index member_of on member (member_id);
