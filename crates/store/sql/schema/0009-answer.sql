-- What people answered about single objects, until a cycle has acted on it.
create table answer (
    job {key} not null,
    class {key} not null,
    source_id {key} not null,
    -- adopt, create, update
    reaction text not null,
    -- The account that is to be adopted.
    target_id text,
    who text not null,
    created bigint not null,
    primary key (job, class, source_id)
) {without_rowid};
