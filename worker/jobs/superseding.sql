-- name: supersede
-- In lanes ($1): what waits behind a newer job is superseded by the newest, up to a number ($2).
WITH newest AS (
    SELECT n.* FROM unnest($1::text[]) AS l(lane) CROSS JOIN LATERAL (
        SELECT j.lane, j.id, j.lane_order FROM jobs j
        WHERE j.lane = l.lane AND j.state IN ('queued', 'retrying', 'running')
          AND j.lane_order IS NOT NULL AND j.cancel_requested_at IS NULL
        ORDER BY j.lane_order DESC LIMIT 1
    ) n
), behind AS (
    SELECT o.id, n.id AS newer FROM newest n CROSS JOIN LATERAL (
        SELECT j.id FROM jobs j
        WHERE j.lane = n.lane AND j.lane_order < n.lane_order
          AND j.state IN ('queued', 'retrying')
        -- One that is being started at this moment runs.
        FOR UPDATE SKIP LOCKED
    ) o LIMIT $2
), moved AS (
    UPDATE jobs j SET state = 'superseded', superseded_by = b.newer, finished_at = now(),
        rung_at = NULL
    FROM behind b WHERE j.id = b.id AND j.id = ANY (ARRAY(SELECT id FROM behind))
    RETURNING j.id, j.queue, j.project_id, j.delivery_id, j.superseded_by
), marked AS (
    UPDATE webhook_events w SET processed = true, processed_at = coalesce(w.processed_at, now()),
        error_message = NULL
    WHERE w.delivery_id = ANY (ARRAY(SELECT delivery_id FROM moved WHERE delivery_id IS NOT NULL))
      AND NOT EXISTS (SELECT FROM jobs s WHERE s.delivery_id = w.delivery_id
                        AND s.id <> ALL (ARRAY(SELECT id FROM moved))
                        AND s.state NOT IN ('completed', 'cancelled', 'superseded'))
    RETURNING w.delivery_id
), told AS (
    INSERT INTO events (id, project_id, job_id, event, payload)
    SELECT gen_random_uuid(), m.project_id, m.id, 'job_superseded',
           jsonb_build_object('jobId', m.id, 'supersededBy', m.superseded_by)
    FROM moved m WHERE m.project_id IS NOT NULL
    RETURNING id, project_id, job_id, event, payload, created_at
)
SELECT m.id, m.queue, m.superseded_by, t.id AS event_id, t.project_id, t.event, t.payload,
       t.created_at, CASE WHEN k.delivery_id IS NULL THEN m.delivery_id END AS unprocessed
FROM moved m LEFT JOIN told t ON t.job_id = m.id LEFT JOIN marked k ON k.delivery_id = m.delivery_id

-- name: overtaken
-- Running jobs of queues ($2) with a newer one in their lane ($1), and which that is.
WITH newest AS (
    SELECT n.* FROM unnest($1::text[]) AS l(lane) CROSS JOIN LATERAL (
        SELECT j.lane, j.id, j.lane_order FROM jobs j
        WHERE j.lane = l.lane AND j.state IN ('queued', 'retrying', 'running')
          AND j.lane_order IS NOT NULL AND j.cancel_requested_at IS NULL
        ORDER BY j.lane_order DESC LIMIT 1
    ) n
)
SELECT j.id, n.id AS newer FROM newest n JOIN jobs j
    ON j.lane = n.lane AND j.lane_order < n.lane_order
WHERE j.state = 'running' AND j.queue = ANY ($2::text[]) AND j.cancel_requested_at IS NULL
