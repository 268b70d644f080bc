-- $1 key.
insert into lease (key, owner, fence, expires, due, wakes)
values ($1, '', 0, 0, 0, 1)
on conflict (key) do update set due = 0, wakes = lease.wakes + 1
