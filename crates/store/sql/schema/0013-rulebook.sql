-- The rules of a cycle, with what source and target were then: once per version. With what an event saw of the source they tell
-- later why it was done.
create table rulebook (
    digest {key} primary key,
    body text not null
) {without_rowid};
alter table cycle add column rulebook text;
alter table event add column seen text;
