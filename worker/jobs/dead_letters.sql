-- name: pick
-- Dead jobs that fit what is not null, the latest first, before a given one ($9, $10).
SELECT j.id, j.finished_at FROM jobs j
WHERE j.state = 'dead'
  AND ($1::text IS NULL OR j.queue = $1) AND ($2::text IS NULL OR j.kind = $2)
  AND ($3::uuid IS NULL OR j.project_id = $3) AND ($4::text IS NULL OR j.org_id = $4)
  AND ($5::text IS NULL OR strpos(lower(j.error), lower($5)) > 0)
  AND ($6::timestamptz IS NULL OR j.finished_at > $6)
  AND ($7::timestamptz IS NULL OR j.finished_at < $7)
  AND ($8::text IS NULL OR $8 = (SELECT a.error_type FROM job_attempts a WHERE a.job_id = j.id
                                 ORDER BY a.attempt DESC LIMIT 1))
  AND ($9::timestamptz IS NULL OR (j.finished_at, j.id) < ($9, $10::uuid))
ORDER BY j.finished_at DESC, j.id DESC LIMIT $11

-- name: show
-- Jobs with how their last attempt ended, the latest first.
SELECT j.*, a.last_attempt FROM jobs j
LEFT JOIN LATERAL (
    SELECT jsonb_build_object(
        'attempt', a.attempt, 'worker', a.worker, 'started_at', a.started_at, 'outcome', a.outcome,
        'finished_at', a.finished_at, 'error_type', a.error_type, 'message', a.message
    ) AS last_attempt
    FROM job_attempts a WHERE a.job_id = j.id ORDER BY a.attempt DESC LIMIT 1
) a ON true
WHERE j.id = ANY ($1::uuid[]) AND j.state = 'dead'
ORDER BY j.finished_at DESC, j.id DESC

-- name: state
-- Where a job stands.
SELECT state FROM jobs WHERE id = $1

-- name: lock_deliveries
-- Holds the deliveries of some jobs, so that of two discards the later one sees the earlier one's.
SELECT delivery_id FROM webhook_events WHERE delivery_id = ANY (ARRAY(
    SELECT delivery_id FROM jobs WHERE id = ANY ($1::uuid[]) AND delivery_id IS NOT NULL
))
ORDER BY delivery_id FOR UPDATE

-- name: discard
-- Deletes those of some jobs that are dead, with their attempts.
DELETE FROM jobs WHERE id = ANY ($1::uuid[]) AND state = 'dead' RETURNING id

-- name: close_deliveries
-- Notes of deliveries that their last job is gone.
UPDATE webhook_events w SET closed_at = now()
WHERE w.delivery_id = ANY ($1::text[]) AND w.closed_at IS NULL
  AND NOT EXISTS (SELECT FROM jobs j WHERE j.delivery_id = w.delivery_id)
