-- name: job
-- A job ($1), how its last attempt ended, and whether its worker has been silent for $2 seconds.
SELECT j.id, j.queue, j.kind, j.state, j.attempt, j.worker, j.started_at, j.finished_at, j.run_at,
       j.error, j.superseded_by, j.cancel_requested_at, j.cancel_reason, now() AS now,
       extract(epoch FROM j.run_at - now())::float8 AS due_in,
       extract(epoch FROM now() - j.rung_at)::float8 AS rung_ago,
       w.last_seen,
       j.state = 'running' AND coalesce(w.last_seen < now() - make_interval(secs => $2), true)
           AS lost,
       a.outcome, a.message
FROM jobs j
LEFT JOIN workers w ON w.id = j.worker
LEFT JOIN LATERAL (
    SELECT outcome, message FROM job_attempts WHERE job_id = j.id ORDER BY attempt DESC LIMIT 1
) a ON true
WHERE j.id = $1

-- name: serving
-- Workers that serve a queue ($1) and were heard of in the last $2 seconds, and what they run of it.
SELECT w.id, w.kinds,
       (SELECT count(*) FROM jobs j
        WHERE j.worker = w.id AND j.state = 'running' AND j.queue = $1) AS running
FROM workers w
WHERE $1 = ANY (w.queues) AND w.last_seen > now() - make_interval(secs => $2)

-- name: holders
-- Who runs some jobs, and since when.
SELECT id, worker, started_at FROM jobs WHERE id = ANY ($1::uuid[])
