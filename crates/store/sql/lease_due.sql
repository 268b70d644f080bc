-- $1 now. A key that still has an owner after its expiry belonged to a node that died.
select key from lease
where expires <= {now} and (due <= {now} or owner <> '')
order by due, key
