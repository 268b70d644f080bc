-- What the engine remembers. The job comes first in every key, so that a distributed database can spread the tables.
-- Words in braces differ between SQLite and PostgreSQL; src/db/migrate.rs substitutes them.
-- {key} compares by bytes on both, as Rust does. Wide columns stand last, so that reading the others skips them.

create table lease (
    key {key} primary key,
    owner text not null,
    fence bigint not null,
    expires bigint not null,
    due bigint not null,
    wakes bigint not null
) {without_rowid};

create table job (
    name {key} primary key,
    rules_digest text not null,
    cursors text not null,
    counts text not null,
    linked text not null,
    state text not null,
    held_plan text,
    note text,
    last_cycle text,
    last_success bigint,
    failures bigint not null,
    updated bigint not null
);

-- With row ids: rows are long, and new ones go to the end whatever their ids are.
create table link (
    job {key} not null,
    class {key} not null,
    source_id {key} not null,
    target_id {key},
    -- 32 bits that stand for target_id in the index. Target ids come in no order, so that each new one dirties a page of its
    -- own: the fewer pages the better.
    target_hash bigint,
    state text not null,
    mark text not null,
    leaves bigint,
    event bigint,
    changed bigint not null,
    name text not null,
    sent text,
    primary key (job, class, source_id)
);
create index link_target on link (target_hash) where target_hash is not null;
create index link_unmarked on link (job, class, source_id) where mark = '' and state <> 'disabled';
create index link_leaves on link (job, leaves) where leaves is not null;

-- Lists of attribute paths: columns that hold many values of one rule's attributes name the list instead of each path.
create table layout (
    id {key} primary key,
    paths text not null
);

create table sequence (
    name {key} primary key,
    value bigint not null
);
insert into sequence (name, value) values ('event', 0);

-- An operation of a plan and the event that records its outcome are one row in two states.
create table event (
    seq {integer_key},
    job {key} not null,
    cycle {key} not null,
    class {key} not null,
    source_id {key} not null,
    target_id {key},
    name text not null,
    action text not null,
    status text not null,
    code text,
    created bigint not null,
    finished bigint,
    duration_ms bigint not null,
    reason text not null,
    changes text not null,
    detail text
);
create index event_object on event (source_id, seq);
create index event_failed on event (job, seq) where status = 'failed';

-- Between which numbers a cycle's events are, others among them: one row a cycle, where an index would have one an event.
create table event_span (
    cycle {key} primary key,
    first_seq bigint not null,
    last_seq bigint not null
) {without_rowid};

create table cycle (
    id {key} primary key,
    job {key} not null,
    kind text not null,
    status text not null,
    started bigint not null,
    finished bigint,
    summary text not null,
    note text
);
create index cycle_job on cycle (job, started);

create table reference (
    job {key} not null,
    class {key} not null,
    source_id {key} not null,
    path {key} not null,
    ref_class {key} not null,
    ref_id {key} not null,
    state text not null,
    ref_target text,
    primary key (job, class, source_id, path, ref_class, ref_id)
) {without_rowid};
create index reference_to on reference (job, ref_class, ref_id);
create index reference_open on reference (job, class, source_id, path, ref_class, ref_id, state, ref_target)
    where state <> 'sent';

create table escrow (
    job {key} not null,
    class {key} not null,
    source_id {key} not null,
    tries bigint not null,
    first_failed bigint not null,
    next_try bigint not null,
    code text not null,
    message text not null,
    primary key (job, class, source_id)
) {without_rowid};
create index escrow_due on escrow (job, next_try);
