-- name: clock
-- The time of the record.
SELECT now()

-- name: last
-- The latest hour or day ($1) that has been summed up.
SELECT max(period_start) AS period_start FROM usage_summaries WHERE period = $1

-- name: sum_up
-- Sums up what began from $2 to $3 as an hour or day ($1); answers which metrics are new or changed.
INSERT INTO usage_summaries AS s (period, period_start, metric, organisations, quantity, events)
SELECT $1, $2, metric, count(DISTINCT org_id), sum(quantity), sum(events)
FROM (
    SELECT org_id, metric, quantity, events FROM usage_counters
    -- An hour that begins here ends within an hour after it: that is what the index knows.
    WHERE period = 'hour' AND period_start >= $2 AND period_start < $3
      AND period_end > $2 AND period_end < $3::timestamptz + interval '1 hour' AND events > 0
    UNION ALL
    SELECT org_id, metric, quantity, events FROM usage_history
    WHERE period = 'hour' AND period_start >= $2 AND period_start < $3
) used
GROUP BY metric
ON CONFLICT (period, period_start, metric) DO UPDATE SET
    organisations = excluded.organisations, quantity = excluded.quantity,
    events = excluded.events, summed_at = now()
WHERE (s.organisations, s.quantity, s.events)
      IS DISTINCT FROM (excluded.organisations, excluded.quantity, excluded.events)
RETURNING metric
