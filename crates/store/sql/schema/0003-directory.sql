-- The directory's own objects: users, groups and whatever resource type is configured later.

insert into sequence (name, value) values ('directory', 0);

create table resource (
    kind {key} not null,
    id {key} not null,
    seq bigint not null,
    version bigint not null,
    -- userName or displayName, prepared for comparison; empty for a tombstone.
    name_key {key} not null,
    external_id {key},
    -- The id of the user this one reports to, so that a deletion finds who points at it.
    manager {key},
    created bigint not null,
    modified bigint not null,
    deleted bigint,
    body text not null,
    primary key (kind, id)
) {without_rowid};
create unique index resource_user on resource (name_key) where kind = 'User' and deleted is null;
create index resource_name on resource (kind, name_key) where kind <> 'User' and deleted is null;
create index resource_external on resource (kind, external_id) where external_id is not null;
create index resource_manager on resource (manager) where manager is not null;
create index resource_seq on resource (kind, seq);

create table member (
    group_id {key} not null,
    member_id {key} not null,
    member_kind {key} not null,
    primary key (group_id, member_id)
) {without_rowid};
create index member_of on member (member_id);
