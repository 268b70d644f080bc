-- $1 now, $2 key, $3 owner, $4 ttl. Of several who run this at once, one sees the row free; the others see its row changed.
insert into lease (key, owner, fence, expires, due, wakes)
values ($2, $3, 1, {now} + $4, 0, 0)
on conflict (key) do update
    set owner = excluded.owner, fence = lease.fence + 1, expires = excluded.expires
    where lease.expires <= {now}
returning fence, due, wakes
