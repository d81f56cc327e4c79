-- name: accept
-- Records deliveries ($1, their bodies $2) and the jobs ($3) of those not seen before; answers these.
WITH fresh AS (
    INSERT INTO webhook_events (delivery_id, event, action, repository, repository_id, project_id,
                                ref, body, headers, jobs, ignored_reason, traceparent)
    SELECT d.delivery_id, d.event, d.action, d.repository, d.repository_id, d.project_id, d.ref,
           substring($2::bytea FROM d.start FOR d.size), d.headers, d.jobs, d.ignored_reason, d.traceparent
    -- JSON, as an array for each column costs the sender four times as much.
    FROM jsonb_to_recordset($1::jsonb)
      AS d(start int, size int, delivery_id text, event text, action text, repository text,
           repository_id bigint, project_id uuid, ref text, headers jsonb, jobs jsonb,
           ignored_reason text, traceparent text)
    ON CONFLICT (delivery_id) DO NOTHING
    RETURNING delivery_id
), planned AS (
    INSERT INTO jobs (id, queue, kind, payload, max_attempts, project_id, org_id, priority,
                      dedupe_key, run_at, delivery_id, correlation_id, concurrency_key,
                      traceparent, lane, lane_order)
    SELECT n.id, n.queue, n.kind, n.payload, n.max_attempts, n.project_id, n.org_id,
           n.priority, n.dedupe_key, coalesce(n.run_at, now()), n.delivery_id, n.correlation_id,
           n.concurrency_key, n.traceparent, n.lane, n.lane_order
    FROM jsonb_to_recordset($3::jsonb)
      AS n(id uuid, queue text, kind text, payload jsonb, max_attempts int, project_id uuid,
           org_id text, priority int, dedupe_key text, run_at timestamptz, delivery_id text,
           correlation_id text, concurrency_key text, traceparent text, lane text,
           lane_order bigint)
    JOIN fresh f ON f.delivery_id = n.delivery_id
)
SELECT delivery_id FROM fresh

-- name: known
-- What became of deliveries seen before, and which of their jobs are dead.
SELECT w.delivery_id, w.jobs, w.ignored_reason,
       ARRAY(SELECT j.id FROM jobs j WHERE j.delivery_id = w.delivery_id AND j.state = 'dead') AS dead
FROM webhook_events w WHERE w.delivery_id = ANY ($1::text[])

-- name: adopt
-- Gives jobs to a delivery that was ignored when it came, and would not be now.
UPDATE webhook_events SET jobs = $2::jsonb, project_id = $3, ignored_reason = NULL
WHERE delivery_id = $1 AND jobs = '[]'
RETURNING delivery_id
