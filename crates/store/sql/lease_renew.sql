-- $1 now, $2 key, $3 owner, $4 fence, $5 ttl.
update lease set expires = {now} + $5 where key = $2 and owner = $3 and fence = $4
