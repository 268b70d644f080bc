-- $1 job; $2 to $6 the key to go on after; $7 limit. "state <> 'sent'" is there for the partial index.
select
    r.class, r.source_id, r.path, r.ref_class, r.ref_id, r.state,
    owner.target_id,
    case when r.state = 'wanted' then referenced.target_id else coalesce(r.ref_target, referenced.target_id) end,
    case when r.state = 'wanted' then r.ref_target else referenced.target_id end
from reference as r
join link as owner on owner.job = r.job and owner.class = r.class and owner.source_id = r.source_id
left join link as referenced on referenced.job = r.job and referenced.class = r.ref_class and referenced.source_id = r.ref_id
where r.job = $1
    and r.state <> 'sent'
    and (r.class, r.source_id, r.path, r.ref_class, r.ref_id) > ($2, $3, $4, $5, $6)
    and owner.target_id is not null
    and (r.state = 'unwanted' or referenced.target_id is not null)
order by r.class, r.source_id, r.path, r.ref_class, r.ref_id
limit $7
