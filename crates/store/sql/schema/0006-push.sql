-- What others push: source objects, the operations that made them what they are, and the requests that these came with.

insert into sequence (name, value) values ('push', 0);

-- The objects of a push connection as they are now; one that was deleted has no row.
create table push_record (
    connection {key} not null,
    class {key} not null,
    source_id {key} not null,
    seq bigint not null,
    body text not null,
    primary key (connection, class, source_id)
);

create table push_operation (
    seq {integer_key},
    job {key} not null,
    bulk_id {key} not null,
    -- Of what was sent, so that one that comes again is told from another one under its name.
    digest text not null,
    connection {key} not null,
    class {key} not null,
    source_id {key} not null,
    method text not null,
    created bigint not null,
    -- The whole object after the operation; none when it is gone.
    body text
);
create unique index push_operation_name on push_operation (job, bulk_id);
create index push_operation_feed on push_operation (connection, class, seq);

create table push_request (
    id {key} primary key,
    job {key} not null,
    created bigint not null,
    -- The token's name.
    client text not null,
    -- For each operation its number, or why it was refused: JSON.
    operations text not null
);

-- How far a cycle read its source, by class: tells which cycle handled a change.
alter table cycle add column cursors text not null default '{}';
