-- name: add
-- Records new jobs; one whose dedupe key is known is left out of the answer.
INSERT INTO jobs (id, queue, kind, payload, max_attempts, project_id, org_id, priority,
                  dedupe_key, run_at, delivery_id, correlation_id, concurrency_key, traceparent,
                  lane, lane_order)
SELECT n.id, n.queue, n.kind, n.payload::jsonb, n.max_attempts, n.project_id, n.org_id, n.priority,
       n.dedupe_key, coalesce(n.run_at, now()), n.delivery_id, n.correlation_id, n.concurrency_key,
       n.traceparent, n.lane, n.lane_order
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int[], $6::uuid[], $7::text[],
            $8::int[], $9::text[], $10::timestamptz[], $11::text[], $12::text[], $13::text[],
            $14::text[], $15::text[], $16::bigint[])
  AS n(id, queue, kind, payload, max_attempts, project_id, org_id, priority, dedupe_key, run_at,
       delivery_id, correlation_id, concurrency_key, traceparent, lane, lane_order)
ON CONFLICT (dedupe_key) WHERE dedupe_key IS NOT NULL DO NOTHING
RETURNING id

-- name: start
-- Starts claimed jobs that wait and are due ($1 ids, $2 claim tokens, $3 worker, $4 known kinds).
WITH begun AS (
    UPDATE jobs j SET state = 'running', worker = $3, claim = w.token, rung_at = NULL,
        attempt = j.attempt + 1, started_at = now()
    FROM unnest($1::uuid[], $2::text[]) AS w(id, token)
    -- The ids a second time, and a condition on the state that no partial index answers, keep the
    -- planner on the primary key however long the queue is and however old its statistics.
    WHERE j.id = w.id AND j.id = ANY ($1::uuid[])
      AND j.state NOT IN ('running', 'completed', 'dead', 'cancelled', 'superseded')
      AND j.run_at <= now() + interval '250 ms' AND j.kind = ANY ($4::text[])
    RETURNING j.id, j.queue, j.kind, j.payload, j.attempt, j.failures, j.max_attempts,
        j.project_id, j.delivery_id, j.correlation_id, j.traceparent, j.lane_order,
        extract(epoch FROM now() - j.run_at)::float8 AS waited
)
SELECT b.*, 'started' AS verdict, p.id IS NOT NULL AS enrolled, p.name, p.repo_url, p.repository,
       p.repository_id, p.default_branch, p.plan, p.org_id, p.created_at AS enrolled_at
FROM begun b LEFT JOIN projects p ON p.id = b.project_id

-- name: take_over
-- For the claims that `start` left: repeats a lost answer, or takes the job from a lost worker.
-- $1 ids, $2 claim tokens, $3 worker, $4 known kinds, $5 crashes allowed, $6 seconds of silence
-- after which a worker counts as lost. A live worker's job is left to it: its lease may have lapsed
-- while Redis was away.
WITH held AS (
    SELECT w.token, j.*,
           j.state = 'running' AND j.claim IS DISTINCT FROM w.token AS lost,
           CASE WHEN j.kind <> ALL ($4::text[]) THEN 'unknown_kind'
                WHEN j.state <> 'running' THEN 'early'
                WHEN j.claim IS NOT DISTINCT FROM w.token THEN 'started'
                WHEN o.last_seen > now() - make_interval(secs => $6) AND o.id <> $3 THEN 'alive'
                WHEN j.crashes + 1 >= $5 THEN 'poison'
                ELSE 'started' END AS verdict
    FROM unnest($1::uuid[], $2::text[]) AS w(id, token)
    CROSS JOIN LATERAL (
        SELECT * FROM jobs WHERE jobs.id = w.id AND jobs.state IN ('queued', 'retrying', 'running')
        FOR UPDATE
    ) j
    LEFT JOIN workers o ON o.id = j.worker
), crashed AS (
    INSERT INTO job_attempts (job_id, attempt, worker, started_at, outcome, error_type, message)
    SELECT h.id, h.attempt, h.worker, h.started_at, 'crashed', 'WorkerLost',
           'worker ' || h.worker || ' stopped without finishing this attempt'
    FROM held h WHERE h.lost AND h.verdict IN ('started', 'poison')
    ON CONFLICT DO NOTHING
), buried AS (
    UPDATE jobs j SET state = 'dead', crashes = j.crashes + 1, worker = NULL, claim = NULL,
        finished_at = now(), error = 'this job stopped its worker ' || $5 || ' times'
    FROM held h WHERE h.id = j.id AND h.verdict = 'poison'
    RETURNING j.id, j.project_id, j.delivery_id, j.attempt, j.error
), marked AS (
    UPDATE webhook_events w SET retry_count = w.retry_count + 1, error_message = b.error
    FROM buried b WHERE w.delivery_id = b.delivery_id
), told AS (
    INSERT INTO events (id, project_id, job_id, event, payload)
    SELECT gen_random_uuid(), b.project_id, b.id, 'job_dead',
           jsonb_build_object('jobId', b.id, 'error', b.error, 'attempt', b.attempt)
    FROM buried b WHERE b.project_id IS NOT NULL
), taken AS (
    UPDATE jobs j SET worker = $3, claim = h.token, rung_at = NULL, attempt = j.attempt + 1,
        crashes = j.crashes + 1, started_at = now()
    FROM held h WHERE h.id = j.id AND h.verdict = 'started' AND h.lost
)
SELECT h.id, h.verdict, h.queue, h.kind, h.payload, h.failures, h.max_attempts, h.project_id,
       h.attempt + h.lost::int AS attempt, h.delivery_id, h.correlation_id, h.traceparent,
       h.lane_order,
       extract(epoch FROM now() - h.run_at)::float8 AS waited,
       p.id IS NOT NULL AS enrolled, p.name, p.repo_url, p.repository, p.repository_id,
       p.default_branch, p.plan, p.org_id, p.created_at AS enrolled_at
FROM held h LEFT JOIN projects p ON p.id = h.project_id

-- name: finish
-- Ends or reschedules attempts, fenced by attempt; with their history, events and deliveries.
WITH moved AS (
    UPDATE jobs j SET state = e.state, failures = j.failures + e.failed, worker = NULL,
        claim = NULL, result = e.result::jsonb, error = e.error,
        run_at = coalesce(now() + make_interval(secs => e.delay), j.run_at),
        progress = CASE WHEN e.state = 'completed' THEN 100 ELSE j.progress END,
        finished_at = CASE WHEN e.delay IS NULL THEN now() END
    FROM unnest($1::uuid[], $2::int[], $3::text[], $4::float8[], $5::int[], $6::text[], $7::text[])
      AS e(id, attempt, state, delay, failed, result, error)
    WHERE j.id = e.id AND j.id = ANY ($1::uuid[]) AND j.attempt = e.attempt
      -- Only a running job has a worker; see `start` for why the state itself is not asked.
      AND j.worker IS NOT NULL
    RETURNING j.id, j.attempt, j.state, j.delivery_id, j.error, j.started_at, e.failed
), noted AS (
    INSERT INTO job_attempts
        (job_id, attempt, worker, started_at, outcome, error_type, message, traceback)
    SELECT m.id, m.attempt, a.worker, m.started_at, a.outcome, a.error_type, a.message, a.traceback
    FROM unnest($8::uuid[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[])
      AS a(id, worker, outcome, error_type, message, traceback) JOIN moved m ON m.id = a.id
    ON CONFLICT DO NOTHING
), told AS (
    INSERT INTO events (id, project_id, job_id, event, payload)
    SELECT t.id, t.project_id, t.job_id, t.event, t.payload::jsonb
    FROM unnest($14::uuid[], $15::uuid[], $16::uuid[], $17::text[], $18::text[])
      AS t(id, project_id, job_id, event, payload) JOIN moved m ON m.id = t.job_id
), marked AS (
    UPDATE webhook_events w SET
        processed = w.processed OR m.state = 'completed',
        processed_at = CASE WHEN w.processed OR m.state <> 'completed' THEN w.processed_at
                            ELSE now() END,
        retry_count = w.retry_count + m.failed,
        error_message = CASE WHEN m.state = 'completed' THEN NULL
                             ELSE coalesce(m.error, w.error_message) END
    FROM moved m WHERE w.delivery_id = m.delivery_id
      AND w.delivery_id = ANY (ARRAY(SELECT delivery_id FROM moved WHERE delivery_id IS NOT NULL))
)
SELECT id FROM moved

-- name: retry
-- A dead job waits again, with its counts at zero; its attempt number goes on growing.
UPDATE jobs SET state = 'queued', failures = 0, crashes = 0, run_at = now(), rung_at = NULL,
    finished_at = NULL, error = NULL, result = NULL
WHERE id = ANY ($1::uuid[]) AND state = 'dead'
RETURNING id, queue, priority, org_id, project_id, concurrency_key

-- name: pick_unrung
-- Due jobs that nobody has rung lately, oldest first, each given to one reconciler only.
WITH due AS (
    SELECT id FROM jobs
    WHERE state IN ('queued', 'retrying') AND run_at < now() - interval '1 second'
      AND (rung_at IS NULL OR rung_at < now() - interval '30 seconds')
    ORDER BY run_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
)
-- An array, and not a join, keeps the planner on the primary key for any limit.
UPDATE jobs j SET rung_at = now() WHERE j.id = ANY (ARRAY(SELECT id FROM due))
RETURNING j.id, j.queue, j.priority, j.org_id, j.project_id, j.concurrency_key,
          (extract(epoch FROM j.run_at) * 1000)::float8 AS run_at_ms

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

-- name: beat
-- Says that a worker is alive, and how busy.
INSERT INTO workers (id, host, pid, queues, running) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id) DO UPDATE SET last_seen = now(), running = excluded.running

-- name: stamp_heartbeat
-- Records the time of a worker's 30-second heartbeat.
UPDATE workers SET last_heartbeat = now() WHERE id = $1

-- name: held_by
-- What the record says that a worker is running.
SELECT id, attempt, queue, priority, org_id, project_id, concurrency_key
FROM jobs WHERE worker = $1 AND state = 'running'

-- name: farewell
-- A worker that stopped in good order leaves the list; what it left running is abandoned at once.
DELETE FROM workers WHERE id = $1

-- name: forget_silent_workers
-- Workers that were never heard of again and hold nothing.
DELETE FROM workers w WHERE last_seen < now() - interval '1 day'
  AND NOT EXISTS (SELECT FROM jobs j WHERE j.worker = w.id AND j.state = 'running')

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
DELETE FROM jobs WHERE id IN (
    SELECT id FROM jobs
    WHERE queue = $1 AND state = ANY ($2::text[]) AND finished_at IS NOT NULL
      AND (finished_at < (SELECT finished_at FROM jobs
                          WHERE queue = $1 AND state = ANY ($2::text[]) AND finished_at IS NOT NULL
                          ORDER BY finished_at DESC OFFSET $3::int - 1 LIMIT 1)
           OR finished_at < now() - make_interval(secs => $4))
    ORDER BY finished_at
    LIMIT 5000
)

-- name: prune_events
-- Deletes events that were published more than a week ago.
DELETE FROM events WHERE published_at < now() - interval '7 days'
