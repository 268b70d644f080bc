-- $1 job, $2 class, $3 after this source id, $4 limit. One row whatever the number of links: a row each would cost more than
-- reading them. The marks are a set, so their order does not matter.
select string_agg(mark, ''), max(source_id)
from (
    select source_id, mark from link
    where job = $1 and class = $2 and source_id > $3
    order by source_id
    limit $4
) as page
