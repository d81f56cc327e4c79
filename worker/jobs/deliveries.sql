-- name: accept
-- Records deliveries and, for those not seen before, their planned jobs; answers the new ones.
WITH fresh AS (
    INSERT INTO webhook_events (delivery_id, event, action, repository, repository_id, project_id,
                                ref, body, headers, jobs, ignored_reason, traceparent)
    SELECT d.delivery_id, d.event, d.action, d.repository, d.repository_id, d.project_id, d.ref,
           d.body, d.headers::jsonb, d.jobs::jsonb, d.ignored_reason, d.traceparent
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::uuid[],
                $7::text[], $8::bytea[], $9::text[], $10::text[], $11::text[], $12::text[])
      AS d(delivery_id, event, action, repository, repository_id, project_id, ref, body, headers,
           jobs, ignored_reason, traceparent)
    ON CONFLICT (delivery_id) DO NOTHING
    RETURNING delivery_id
), planned AS (
    INSERT INTO jobs (id, queue, kind, payload, max_attempts, project_id, org_id, priority,
                      dedupe_key, run_at, delivery_id, correlation_id, concurrency_key,
                      traceparent, lane, lane_order)
    SELECT n.id, n.queue, n.kind, n.payload::jsonb, n.max_attempts, n.project_id, n.org_id,
           n.priority, n.dedupe_key, coalesce(n.run_at, now()), n.delivery_id, n.correlation_id,
           n.concurrency_key, n.traceparent, n.lane, n.lane_order
    FROM unnest($13::uuid[], $14::text[], $15::text[], $16::text[], $17::int[], $18::uuid[],
                $19::text[], $20::int[], $21::text[], $22::timestamptz[], $23::text[], $24::text[],
                $25::text[], $26::text[], $27::text[], $28::bigint[])
      AS n(id, queue, kind, payload, max_attempts, project_id, org_id, priority, dedupe_key, run_at,
           delivery_id, correlation_id, concurrency_key, traceparent, lane, lane_order)
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
