-- How far a guard of a job may be exceeded because somebody released that much "always".
create table guard_exception (
    job {key} not null,
    guard {key} not null,
    -- Of the source; empty where the guard counts the whole job.
    class {key} not null,
    -- As many operations, and no greater share of the linked objects than these were.
    operations bigint not null,
    linked bigint not null,
    -- The limit as it was configured; with another one the exception has ended.
    limits text not null,
    plan text not null,
    granted_by text,
    created bigint not null,
    primary key (job, guard, class)
);
