-- $1 key, $2 owner, $3 fence, $4 wakes when it was claimed, $5 next due.
update lease
set owner = '', expires = 0, due = case when wakes <> $4 then 0 else $5 end
where key = $1 and owner = $2 and fence = $3
