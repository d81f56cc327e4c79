-- name: beat
-- Says that a worker is alive, and how busy.
INSERT INTO workers (id, host, pid, queues, running, kinds) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET last_seen = now(), running = excluded.running

-- name: stamp_heartbeat
-- Records the time of a worker's 30-second heartbeat.
UPDATE workers SET last_heartbeat = now() WHERE id = $1

-- name: held
-- What the record says that a worker is running.
SELECT id, attempt, queue, priority, org_id, project_id, concurrency_key
FROM jobs WHERE worker = $1 AND state = 'running'

-- name: farewell
-- A worker that stopped in good order leaves the list; what it left running is abandoned at once.
DELETE FROM workers WHERE id = $1

-- name: orders
-- What a worker ($1) has to obey: the controls of queues, and which of its jobs are to be cancelled.
SELECT c.queue, c.paused_at, c.paused_reason, c.concurrency, c.per_key, c.per_organisation,
       c.rate_count, c.rate_seconds, c.updated_at,
       NULL::uuid AS job_id, NULL::int AS attempt, NULL AS reason
FROM queue_controls c
UNION ALL
SELECT j.queue, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, j.id, j.attempt, j.cancel_reason
FROM jobs j WHERE j.worker = $1 AND j.state = 'running' AND j.cancel_requested_at IS NOT NULL
