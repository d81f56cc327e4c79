-- name: pick_unrung
-- Due jobs that nobody has rung lately, each given to one reconciler for 5 seconds.
-- Those never rung come first: a long backlog, rung again and again, must not stand before them.
WITH never AS (
    SELECT id FROM jobs
    WHERE state IN ('queued', 'retrying') AND rung_at IS NULL
      AND run_at < now() - interval '1 second'
    ORDER BY run_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
), stale AS (
    SELECT id FROM jobs
    WHERE state IN ('queued', 'retrying') AND rung_at < now() - interval '30 seconds'
      AND run_at < now() - interval '1 second'
    ORDER BY run_at
    LIMIT $1 - (SELECT count(*) FROM never)
    FOR UPDATE SKIP LOCKED
), due AS (
    SELECT id FROM never UNION ALL SELECT id FROM stale
)
-- An array, and not a join, keeps the planner on the primary key for any limit.
UPDATE jobs j SET rung_at = now() - interval '25 seconds'
WHERE j.id = ANY (ARRAY(SELECT id FROM due))
RETURNING j.id, j.queue, j.priority, j.org_id, j.project_id, j.concurrency_key,
          (extract(epoch FROM j.run_at) * 1000)::float8 AS run_at_ms

-- name: rang
-- Notes that waiting jobs ($1 ids) were rung: that lasts for half a minute.
UPDATE jobs SET rung_at = now() WHERE id = ANY ($1::uuid[]) AND state IN ('queued', 'retrying')

-- name: pick_abandoned
-- Running jobs whose worker has been silent for longer than $1 seconds.
WITH silent AS (
    SELECT j.id FROM jobs j LEFT JOIN workers w ON w.id = j.worker
    WHERE j.state = 'running'
      AND (w.id IS NULL OR w.last_seen < now() - make_interval(secs => $1))
      AND (j.rung_at IS NULL OR j.rung_at < now() - interval '5 seconds')
    LIMIT $2
    FOR UPDATE OF j SKIP LOCKED
)
UPDATE jobs j SET rung_at = now() WHERE j.id = ANY (ARRAY(SELECT id FROM silent))
RETURNING j.id, j.queue, j.priority, j.org_id, j.project_id, j.concurrency_key,
          (extract(epoch FROM j.run_at) * 1000)::float8 AS run_at_ms

-- name: forget_rings
-- After Redis lost its memory every waiting job has to be rung again.
UPDATE jobs SET rung_at = NULL
WHERE state IN ('queued', 'retrying') AND rung_at IS NOT NULL

-- name: counts
-- How many jobs wait, run and lie dead in each queue, and since when the oldest due one waits.
SELECT queue,
       CASE WHEN state = 'running' THEN 'in_progress' WHEN state = 'dead' THEN 'dead'
            WHEN run_at > now() THEN 'scheduled' ELSE 'queued' END AS status,
       count(*) AS jobs,
       max(CASE WHEN state IN ('queued', 'retrying')
                THEN extract(epoch FROM now() - run_at) END)::float8 AS oldest
FROM jobs WHERE state IN ('queued', 'retrying', 'running', 'dead')
GROUP BY 1, 2

-- name: prune
-- Deletes up to 5000 ended jobs of a queue ($1) in given states ($2) beyond a count ($3) or age ($4).
-- Their deliveries are closed unless they are processed: nobody need look for these jobs.
WITH gone AS (
    DELETE FROM jobs WHERE id IN (
        SELECT id FROM jobs
        WHERE queue = $1 AND state = ANY ($2::text[]) AND finished_at IS NOT NULL
          AND (finished_at < (SELECT finished_at FROM jobs
                              WHERE queue = $1 AND state = ANY ($2::text[])
                                AND finished_at IS NOT NULL
                              ORDER BY finished_at DESC OFFSET $3::int - 1 LIMIT 1)
               OR finished_at < now() - make_interval(secs => $4))
        ORDER BY finished_at
        LIMIT 5000
    )
    RETURNING delivery_id
)
UPDATE webhook_events SET closed_at = now()
WHERE delivery_id = ANY (ARRAY(SELECT delivery_id FROM gone WHERE delivery_id IS NOT NULL))
  AND NOT processed AND closed_at IS NULL

-- name: prune_events
-- Deletes events that were published more than a week ago.
DELETE FROM events WHERE published_at < now() - interval '7 days'

-- name: forget_silent_workers
-- Workers that were never heard of again and hold nothing.
DELETE FROM workers w WHERE last_seen < now() - interval '1 day'
  AND NOT EXISTS (SELECT FROM jobs j WHERE j.worker = w.id AND j.state = 'running')
