-- name: daily revenue agrees with the orders
-- expect: no rows
-- show: ["day", "kept", "now"]
select day, kept.revenue as kept, now.revenue as now
from daily_revenue kept full join (
    select placed_at::date as day, sum(total) as revenue from orders where deleted_at is null group by 1
) now using (day)
where kept.revenue is distinct from now.revenue order by day
