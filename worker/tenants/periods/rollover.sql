-- name: clock
-- The time of the record.
SELECT now()

-- name: due
-- Organisations that at $1 have counters to move, or a kind of period to close or to open.
SELECT o.id, o.timezone, coalesce(e.counters, 0) AS counters
FROM organisations o
LEFT JOIN (SELECT org_id, count(*) AS counters FROM usage_counters
           WHERE period_end <= $1 GROUP BY org_id) e ON e.org_id = o.id
WHERE e.counters > 0 OR EXISTS (
    SELECT FROM unnest(ARRAY['hour', 'day', 'month']) AS k(period)
    WHERE coalesce((SELECT p.period_end FROM usage_periods p
                    WHERE p.org_id = o.id AND p.period = k.period
                    ORDER BY p.period_start DESC LIMIT 1), '-infinity') <= $1)
ORDER BY o.id

-- name: open_counters
-- Counters at zero in these periods, for what was used in the ones that ended where they begin.
INSERT INTO usage_counters (org_id, metric, period, period_start, period_end)
SELECT c.org_id, c.metric, n.period, n.period_start, n.period_end
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[])
     AS n(org_id, period, period_start, period_end)
JOIN usage_counters c ON c.org_id = n.org_id AND c.period = n.period
                     AND c.period_end = n.period_start
WHERE c.events > 0 AND c.org_id = ANY ($1::text[])
-- In the order of those who count: none waits for one that waits for it.
ORDER BY c.org_id COLLATE "C", c.metric COLLATE "C", n.period COLLATE "C", n.period_start
ON CONFLICT DO NOTHING

-- name: hold
-- Lets nobody else roll these organisations over before this transaction ends.
SELECT id, timezone, created_at FROM organisations
WHERE id = ANY ($1::text[])
ORDER BY id FOR NO KEY UPDATE

-- name: archive
-- Moves up to $3 counters whose period has ended by $2; what was never used is only deleted.
WITH held AS MATERIALIZED (
    SELECT org_id, metric, period, period_start FROM usage_counters
    WHERE org_id = ANY ($1::text[]) AND period_end <= $2
    -- In the order of those who count.
    ORDER BY org_id COLLATE "C", metric COLLATE "C", period COLLATE "C", period_start
    LIMIT $3 FOR UPDATE
), gone AS (
    DELETE FROM usage_counters c USING held h
    WHERE c.org_id = h.org_id AND c.metric = h.metric AND c.period = h.period
      AND c.period_start = h.period_start
    RETURNING c.*
), kept AS (
    INSERT INTO usage_history AS h
        (org_id, metric, period, period_start, period_end, quantity, events)
    SELECT org_id, metric, period, period_start, period_end, quantity, events
    FROM gone WHERE events > 0
    ON CONFLICT (org_id, metric, period, period_start) DO UPDATE SET
        quantity = h.quantity + excluded.quantity, events = h.events + excluded.events,
        archived_at = now()
)
SELECT count(*) AS moved FROM gone

-- name: known_until
-- Up to when the periods of each kind are in the record.
SELECT o.id AS org_id, k.period, (
    SELECT p.period_end FROM usage_periods p
    WHERE p.org_id = o.id AND p.period = k.period ORDER BY p.period_start DESC LIMIT 1
) AS period_end
FROM unnest($1::text[]) AS o(id) CROSS JOIN unnest(ARRAY['hour', 'day', 'month']) AS k(period)

-- name: turn
-- Closes what has ended by $2 and adds periods ($3 to $6); answers what is closed from now on.
WITH ended AS (
    UPDATE usage_periods SET closed_at = now()
    WHERE org_id = ANY ($1::text[]) AND closed_at IS NULL AND period_end <= $2
    RETURNING org_id, period, period_start, period_end
), added AS (
    INSERT INTO usage_periods (org_id, period, period_start, period_end, closed_at)
    SELECT n.*, CASE WHEN n.period_end <= $2 THEN now() END
    FROM unnest($3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[])
         AS n(org_id, period, period_start, period_end)
    ON CONFLICT DO NOTHING
    RETURNING org_id, period, period_start, period_end, closed_at
)
SELECT org_id, period, period_start, period_end FROM ended
UNION ALL
SELECT org_id, period, period_start, period_end FROM added WHERE closed_at IS NOT NULL

-- name: totals
-- The $4 greatest totals of each of these periods, and how many metrics there are in all.
SELECT k.org_id, k.period, k.period_start, t.metric, t.quantity, t.events, t.metrics
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS k(org_id, period, period_start)
CROSS JOIN LATERAL (
    SELECT h.metric, h.quantity, h.events, count(*) OVER () AS metrics FROM usage_history h
    WHERE h.org_id = k.org_id AND h.period = k.period AND h.period_start = k.period_start
    ORDER BY h.quantity DESC, h.metric LIMIT $4
) t
