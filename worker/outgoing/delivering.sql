-- name: parcels
-- What deliveries take, in their order: where to, what, sealed with what, how the endpoint does.
-- Nulls for one that was deleted.
SELECT now() AS now, e.org_id, e.url, e.schedule, e.state, e.disabled_reason, e.secret,
       CASE WHEN e.previous_until > now() THEN e.previous_secret END AS previous_secret,
       e.failures, e.failing_since, e.open_until, e.probing_until, e.slow_until,
       m.body, d.state AS delivery
FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS g(endpoint_id, message_id, position)
LEFT JOIN outgoing_deliveries d ON d.endpoint_id = g.endpoint_id AND d.message_id = g.message_id
LEFT JOIN outgoing_endpoints e ON e.id = d.endpoint_id
LEFT JOIN outgoing_messages m ON m.id = d.message_id
ORDER BY g.position

-- name: probe
-- Lets one delivery try an endpoint whose breaker was open; no row: another one is at it.
UPDATE outgoing_endpoints SET probing_until = now() + make_interval(secs => $2)
WHERE id = $1 AND open_until <= now() AND (probing_until IS NULL OR probing_until <= now())
RETURNING now() AS now

-- name: give_up
-- Ends a delivery whose endpoint is disabled: it was skipped if it was never attempted.
UPDATE outgoing_deliveries
SET state = CASE WHEN attempts = 0 THEN 'skipped' ELSE 'failed' END, updated_at = now()
WHERE endpoint_id = $1 AND message_id = $2 AND state = 'pending'

-- name: arrived
-- Records attempts that succeeded, each once; their endpoints are well again.
WITH given AS MATERIALIZED (
    SELECT g.* FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::int[],
                           $6::timestamptz[], $7::int[], $8::int[], $9::bytea[])
        AS g(endpoint_id, message_id, id, job_id, attempt, started_at, duration_ms, status, answer)
    WHERE NOT EXISTS (SELECT FROM outgoing_attempts a
                      WHERE a.job_id = g.job_id AND a.attempt = g.attempt)
), delivery AS (
    UPDATE outgoing_deliveries d
    SET state = 'delivered', attempts = d.attempts + g.attempts, updated_at = now(),
        delivered_at = coalesce(d.delivered_at, now())
    FROM (SELECT endpoint_id, message_id, count(*) AS attempts FROM given GROUP BY 1, 2) g
    WHERE d.endpoint_id = g.endpoint_id AND d.message_id = g.message_id
    RETURNING d.endpoint_id, d.message_id
), attempt AS (
    INSERT INTO outgoing_attempts (endpoint_id, message_id, id, job_id, attempt, started_at,
                                   duration_ms, status, answer)
    SELECT g.* FROM given g JOIN delivery d USING (endpoint_id, message_id)
)
UPDATE outgoing_endpoints
SET failures = 0, failing_since = NULL, open_until = NULL, probing_until = NULL
WHERE id IN (SELECT endpoint_id FROM delivery) AND (failures > 0 OR open_until IS NOT NULL)

-- name: failed
-- Records an attempt that failed, once; $12: whether it was the last. No row: nothing to record.
WITH delivery AS (
    UPDATE outgoing_deliveries
    SET state = CASE WHEN state = 'delivered' THEN state WHEN $12 THEN 'failed'
                     ELSE 'pending' END,
        attempts = attempts + 1, updated_at = now()
    WHERE endpoint_id = $1 AND message_id = $2
      AND NOT EXISTS (SELECT FROM outgoing_attempts WHERE job_id = $4 AND attempt = $5)
    RETURNING 1
)
INSERT INTO outgoing_attempts (endpoint_id, message_id, id, job_id, attempt, started_at,
                               duration_ms, status, answer, error_class, error)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 FROM delivery
RETURNING id

-- name: standing
-- How an endpoint is doing, held until the end of the transaction; no row where it is disabled.
SELECT now() AS now, failures, failing_since, open_until, probing_until
FROM outgoing_endpoints WHERE id = $1 AND state = 'enabled' FOR NO KEY UPDATE

-- name: note
-- Keeps how an endpoint is doing, and lets it rest for so many seconds ($6) at least.
UPDATE outgoing_endpoints
SET failures = $2, failing_since = $3, open_until = $4, probing_until = $5,
    slow_until = CASE WHEN $6 > 0
                      THEN greatest(slow_until, now() + make_interval(secs => $6))
                      ELSE slow_until END
WHERE id = $1
