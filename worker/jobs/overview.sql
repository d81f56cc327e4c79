-- name: counts
-- How many jobs a queue has in each state ($1; null: every queue), and how long the oldest is due.
SELECT queue, state, count(*) AS jobs,
       max(CASE WHEN state IN ('queued', 'retrying')
                THEN extract(epoch FROM now() - run_at) END)::float8 AS oldest
FROM jobs WHERE $1::text IS NULL OR queue = $1
GROUP BY queue, state

-- name: serving
-- The workers that were heard of in the last $1 seconds, with the queues that they serve.
SELECT id, queues FROM workers WHERE last_seen > now() - make_interval(secs => $1) ORDER BY id

-- name: workers
-- Workers after a given one ($2), whether they were heard of lately ($1), and the first of their jobs.
SELECT w.id, w.host, w.pid, w.queues, w.running, w.started_at, w.last_seen, w.last_heartbeat,
       w.last_seen > now() - make_interval(secs => $1) AS alive,
       ARRAY(SELECT jsonb_build_object(
                 'id', j.id, 'queue', j.queue, 'kind', j.kind, 'attempt', j.attempt,
                 'project_id', j.project_id, 'progress', j.progress,
                 'progress_message', j.progress_message, 'started_at', j.started_at)
             FROM jobs j WHERE j.worker = w.id AND j.state = 'running'
             ORDER BY j.started_at LIMIT $4) AS jobs
FROM workers w WHERE $2::text IS NULL OR w.id > $2
ORDER BY w.id LIMIT $3
