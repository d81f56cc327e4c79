-- name: cross
-- Records which thresholds totals ($1 to $6) have newly reached by $7 (null: now), with their rules.
WITH totals AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[],
                         $6::bigint[])
        AS t(org_id, metric, period, period_start, period_end, quantity)
), reached AS (
    INSERT INTO usage_thresholds
        (org_id, metric, period, period_start, percent, quantity, quantity_limit)
    SELECT DISTINCT t.org_id, t.metric, t.period, t.period_start, r.percent, t.quantity, l.quantity
    FROM totals t
    JOIN usage_limits l USING (org_id, metric, period)
    JOIN limit_rules r USING (org_id, metric, period)
    -- The smallest whole quantity that is so many percent. Limits are bounded: nothing overflows.
    WHERE t.quantity >= (r.percent * l.quantity + 99) / 100
      -- Under a limit no lower than this one it was told already.
      AND NOT EXISTS (
        SELECT FROM usage_thresholds o
        WHERE o.org_id = t.org_id AND o.metric = t.metric AND o.period = t.period
          AND o.period_start = t.period_start AND o.percent = r.percent
          AND o.quantity_limit >= l.quantity)
    ORDER BY t.org_id, t.metric, t.period, t.period_start, r.percent
    ON CONFLICT DO NOTHING
    RETURNING org_id, metric, period, period_start, percent, quantity, quantity_limit
)
SELECT org_id, metric, period, period_start, t.period_end, percent, c.quantity, c.quantity_limit,
       t.period_end <= coalesce($7::timestamptz, now()) AS late, r.action, r.target_id, r.restore
FROM reached c
JOIN totals t USING (org_id, metric, period, period_start)
JOIN limit_rules r USING (org_id, metric, period, percent)
ORDER BY org_id, metric, period, period_start, percent, r.position
