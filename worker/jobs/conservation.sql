-- name: deliveries
-- Deliveries after a given one ($1, $2) that are not known to be done with, and what they miss.
SELECT w.delivery_id, w.received_at, jsonb_array_length(w.jobs) AS planned,
       ARRAY(SELECT p->>'id' FROM jsonb_array_elements(w.jobs) p
             WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.id = (p->>'id')::uuid)) AS missing
FROM webhook_events w
WHERE NOT w.processed AND w.closed_at IS NULL AND w.ignored_reason IS NULL
  AND (w.received_at, w.delivery_id) > ($1::timestamptz, $2::text)
ORDER BY w.received_at, w.delivery_id LIMIT $3

-- name: jobs
-- Jobs after a given one ($1) that have been due for $2 seconds, or running for $3.
-- A worker that has just fallen silent ($4 to $5 seconds) keeps its jobs for the moment.
SELECT j.id, j.queue, j.state, j.attempt,
       CASE j.state WHEN 'running' THEN coalesce(w.last_seen, j.started_at) ELSE j.run_at END
           AS since
FROM jobs j LEFT JOIN workers w ON w.id = j.worker
WHERE j.id > $1 AND j.state IN ('queued', 'retrying', 'running')
  AND CASE WHEN j.state <> 'running' THEN j.run_at < now() - make_interval(secs => $2)
           WHEN w.last_seen > now() - make_interval(secs => $4)
                OR coalesce(w.last_seen, '-infinity') < now() - make_interval(secs => $5)
           THEN j.started_at < now() - make_interval(secs => $3) ELSE false END
ORDER BY j.id LIMIT $6

-- name: unchanged
-- Which of some jobs ($1) are still at the same attempt ($2) in the same state ($3).
SELECT j.id
FROM unnest($1::uuid[], $2::int[], $3::text[]) AS s(id, attempt, state)
JOIN jobs j ON j.id = s.id AND j.attempt = s.attempt AND j.state = s.state
WHERE j.id = ANY ($1::uuid[])

-- name: without_job
-- Which of some ids ($1) are of no job that waits or runs, or did so in the last $2 seconds.
SELECT i.id, j.state, j.finished_at
FROM unnest($1::uuid[]) AS i(id) LEFT JOIN jobs j ON j.id = i.id AND j.id = ANY ($1::uuid[])
WHERE j.id IS NULL OR j.finished_at < now() - make_interval(secs => $2)
