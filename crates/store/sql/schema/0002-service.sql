-- What the service itself keeps: who may call it, what it must not show, and which configuration was in force when.

create table token (
    id {key} primary key,
    name text not null,
    hash {key} not null unique,
    rights text not null,
    created bigint not null,
    expires bigint,
    last_used bigint,
    revoked bigint
);

create table secret (
    name {key} primary key,
    blob text not null,
    created bigint not null,
    updated bigint not null
);

create table config (
    name {key} not null,
    version bigint not null,
    body text not null,
    author text not null,
    created bigint not null,
    primary key (name, version)
);
