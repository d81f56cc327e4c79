-- name: claim
-- Which batches ($1 organisations, $2 ids) are new, recorded from now on; with the time zones.
WITH asked AS (
    SELECT DISTINCT org_id, batch_id FROM unnest($1::text[], $2::text[]) AS a(org_id, batch_id)
), claimed AS (
    INSERT INTO usage_batches (org_id, batch_id)
    SELECT a.org_id, a.batch_id FROM asked a JOIN organisations o ON o.id = a.org_id
    -- Every worker in the same order: none waits for one that waits for it.
    ORDER BY a.org_id, a.batch_id
    ON CONFLICT DO NOTHING
    RETURNING org_id, batch_id
)
SELECT a.org_id, a.batch_id, o.timezone, c.batch_id IS NOT NULL AS new
FROM asked a LEFT JOIN organisations o ON o.id = a.org_id LEFT JOIN claimed c USING (org_id, batch_id)

-- name: add
-- Adds to counters, in the order given, and answers what they hold then.
INSERT INTO usage_counters AS c
    (org_id, metric, period, period_start, period_end, quantity, events)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[],
                     $6::bigint[], $7::bigint[])
ON CONFLICT (org_id, metric, period, period_start) DO UPDATE SET
    quantity = c.quantity + excluded.quantity, events = c.events + excluded.events,
    updated_at = now()
RETURNING c.org_id, c.metric, c.period, c.period_start, c.period_end, c.quantity

-- name: archived
-- What a roll-over has moved to the history of these counters.
SELECT h.org_id, h.metric, h.period, h.period_start, h.quantity
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
     AS k(org_id, metric, period, period_start)
JOIN usage_history h USING (org_id, metric, period, period_start)

-- name: forget_batches
-- Forgets up to $2 batches that were counted $1 days ago or more.
DELETE FROM usage_batches WHERE (org_id, batch_id) IN (
    SELECT org_id, batch_id FROM usage_batches
    WHERE counted_at < now() - make_interval(days => $1) ORDER BY counted_at LIMIT $2
)
RETURNING batch_id
