-- $1 before this time, $2 limit. Numbers grow with time, so the search ends at the first event that is too young; nodes whose
-- clocks differ only make that a little early.
delete from event where seq in (
    select seq from event
    where seq < coalesce((select seq from event where created >= $1 order by seq limit 1), 9223372036854775807)
        and status not in ('planned', 'held')
    order by seq
    limit $2
)
