-- name: the view of live customers hides deleted ones
-- expect: no rows
-- show: ["customer"]
select v.id as customer
from live_customers v join customers c on c.id = v.id where c.deleted_at is not null order by v.id
