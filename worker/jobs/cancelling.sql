-- name: cancel
-- Cancels waiting jobs ($1) at once, for a reason ($2), and asks running ones to end.
-- Answers the state that each was in, and the event that tells of it.
WITH found AS (
    SELECT id, queue, state FROM jobs WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE
), ended AS (
    -- Postgres checks constraints on the row as this statement first saw it, perhaps running yet:
    -- what they tie to the state has to be set with it.
    UPDATE jobs j SET state = 'cancelled', worker = NULL, claim = NULL, finished_at = now(),
        error = $2,
        result = jsonb_build_object('success', false, 'message', 'cancelled', 'error', $2::text),
        cancel_requested_at = now(), cancel_reason = $2
    FROM found f WHERE f.id = j.id AND f.state IN ('queued', 'retrying')
    RETURNING j.id, j.project_id, j.delivery_id
), asked AS (
    UPDATE jobs j SET cancel_requested_at = coalesce(j.cancel_requested_at, now()),
        cancel_reason = coalesce(j.cancel_reason, $2)
    FROM found f WHERE f.id = j.id AND f.state = 'running'
), marked AS (
    UPDATE webhook_events w SET error_message = $2
    FROM ended e WHERE w.delivery_id = e.delivery_id
), told AS (
    INSERT INTO events (id, project_id, job_id, event, payload)
    SELECT gen_random_uuid(), e.project_id, e.id, 'job_cancelled',
           jsonb_build_object('jobId', e.id, 'reason', $2::text)
    FROM ended e WHERE e.project_id IS NOT NULL
    RETURNING id, project_id, job_id, payload, created_at
)
SELECT f.id, f.queue, f.state, e.delivery_id,
       t.id AS event_id, t.project_id, t.payload, t.created_at
FROM found f LEFT JOIN ended e ON e.id = f.id LEFT JOIN told t ON t.job_id = f.id
