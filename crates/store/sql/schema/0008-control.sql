-- What people say about a job while it may be running. Apart from its row, which a running cycle writes as a whole.
create table job_control (
    job {key} primary key,
    -- Since when it is paused; none when it is not.
    paused bigint,
    pause_reason text,
    -- Counts requests to run at once.
    wakes bigint not null
);

-- Jobs whose cycles fail as a whole: tried more rarely, until one succeeds.
create table quarantine (
    job {key} primary key,
    since bigint not null,
    code text not null,
    reason text not null,
    -- Failed attempts, the first one included.
    tries bigint not null,
    next_try bigint not null
);
