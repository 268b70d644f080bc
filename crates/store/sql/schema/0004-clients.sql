-- What a token's client is allowed and used to, as JSON; and who did what to tokens.
alter table token add column client text not null default '{}';
create index token_name on token (name);

create table audit (
    seq {integer_key},
    at bigint not null,
    -- Who: a user of the machine, a token's name.
    actor text not null,
    action {key} not null,
    -- To what.
    subject text not null,
    detail text not null
);
insert into sequence (name, value) values ('audit', 0);
