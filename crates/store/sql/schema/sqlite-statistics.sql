-- Tells SQLite's planner how these tables look when they are full: rows, then rows that are equal in one, two, … columns of
-- the index. Without that it takes ten rows for all links of a class, and reads them all rather than look up a list of ids.
analyze;
delete from sqlite_stat1;
insert into sqlite_stat1 (tbl, idx, stat) values
    ('link', 'sqlite_autoindex_link_1', '1000000 500000 100000 1'),
    ('link', 'link_target', '1000000 1'),
    ('link', 'link_leaves', '1000 500 1'),
    ('event', 'event_object', '1000000 5 1'),
    ('event_span', 'event_span', '10000 1'),
    ('event', 'event_failed', '10000 5000 1'),
    ('cycle', 'cycle_job', '10000 500 1'),
    ('reference', 'reference', '1000000 500000 100000 5 5 5 1'),
    ('reference', 'reference_to', '1000000 500000 100000 5'),
    ('reference', 'reference_open', '1000 500 100 5 5 5 1 1 1'),
    ('escrow', 'escrow', '1000 500 100 1'),
    ('escrow', 'escrow_due', '1000 500 1'),
    ('value', 'value_hash', '1000000 2'),
    ('push_record', 'sqlite_autoindex_push_record_1', '1000000 500000 100000 1'),
    ('push_operation', 'push_operation_name', '1000000 500000 1'),
    ('push_operation', 'push_operation_feed', '1000000 500000 100000 1');
analyze sqlite_schema;
