-- $1 before this time, $2 limit. The oldest rows come first by number, so nothing is sorted.
delete from event where seq in (
    select seq from event
    where created < $1 and status not in ('planned', 'held')
    order by seq
    limit $2
)
