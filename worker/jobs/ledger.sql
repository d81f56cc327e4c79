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
        attempt = j.attempt + 1, started_at = now(), progress = 0, progress_message = NULL
    FROM unnest($1::uuid[], $2::text[]) AS w(id, token)
    -- The ids a second time, and a condition on the state that no partial index answers, keep the
    -- planner on the primary key however long the queue is and however old its statistics.
    WHERE j.id = w.id AND j.id = ANY ($1::uuid[])
      AND j.state NOT IN ('running', 'completed', 'dead', 'cancelled', 'superseded')
      AND j.run_at <= now() + interval '250 ms' AND j.kind = ANY ($4::text[])
    RETURNING j.id, j.queue, j.kind, j.payload, j.attempt, j.failures, j.max_attempts,
        j.project_id, j.delivery_id, j.correlation_id,
        extract(epoch FROM now() - j.run_at)::float8 AS waited, j.traceparent, j.lane_order
)
SELECT b.*, 'started' AS verdict, p.id IS NOT NULL AS enrolled, p.name, p.repo_url, p.repository,
       p.repository_id, p.default_branch, p.plan, p.org_id, p.created_at AS enrolled_at
FROM begun b LEFT JOIN projects p ON p.id = b.project_id

-- name: take_over
-- For the claims that `start` left: repeats a lost answer, or takes the job from a lost worker.
-- $1 ids, $2 claim tokens, $3 worker, $4 known kinds, $5 crashes allowed, $6 seconds of silence
-- after which a worker counts as lost. A live worker's job is left to it: its lease may have lapsed
-- while Redis was away. A job that was to be cancelled when its worker was lost is cancelled now.
WITH held AS (
    SELECT w.token, j.*, a.lost,
           CASE WHEN a.lost AND NOT a.alive AND j.cancel_requested_at IS NOT NULL THEN 'cancelled'
                WHEN j.kind <> ALL ($4::text[]) THEN 'unknown_kind'
                WHEN j.state <> 'running' THEN 'early'
                WHEN NOT a.lost THEN 'started'
                WHEN a.alive THEN 'alive'
                WHEN j.crashes + 1 >= $5 THEN 'poison'
                ELSE 'started' END AS verdict
    FROM unnest($1::uuid[], $2::text[]) AS w(id, token)
    CROSS JOIN LATERAL (
        SELECT * FROM jobs WHERE jobs.id = w.id AND jobs.state IN ('queued', 'retrying', 'running')
        FOR UPDATE
    ) j
    LEFT JOIN workers o ON o.id = j.worker
    CROSS JOIN LATERAL (
        SELECT j.state = 'running' AND j.claim IS DISTINCT FROM w.token AS lost,
               coalesce(o.last_seen > now() - make_interval(secs => $6) AND o.id <> $3, false)
                   AS alive
    ) a
), crashed AS (
    INSERT INTO job_attempts (job_id, attempt, worker, started_at, outcome, error_type, message)
    SELECT h.id, h.attempt, h.worker, h.started_at, 'crashed', 'WorkerLost',
           'worker ' || h.worker || ' stopped without finishing this attempt'
    FROM held h WHERE h.lost AND h.verdict IN ('started', 'poison', 'cancelled')
    ON CONFLICT DO NOTHING
), ended AS (
    UPDATE jobs j SET crashes = j.crashes + 1, worker = NULL, claim = NULL, finished_at = now(),
        state = CASE h.verdict WHEN 'poison' THEN 'dead' ELSE 'cancelled' END,
        error = CASE h.verdict WHEN 'poison' THEN 'this job stopped its worker ' || $5 || ' times'
                               ELSE j.cancel_reason END
    FROM held h WHERE h.id = j.id AND h.verdict IN ('poison', 'cancelled')
    RETURNING j.id, j.state, j.project_id, j.delivery_id, j.attempt, j.error
), marked AS (
    UPDATE webhook_events w SET error_message = e.error,
        retry_count = w.retry_count + (e.state = 'dead')::int
    FROM ended e WHERE w.delivery_id = e.delivery_id
), told AS (
    INSERT INTO events (id, project_id, job_id, event, payload)
    SELECT gen_random_uuid(), e.project_id, e.id, 'job_' || e.state,
           CASE e.state WHEN 'dead'
                THEN jsonb_build_object('jobId', e.id, 'error', e.error, 'attempt', e.attempt)
                ELSE jsonb_build_object('jobId', e.id, 'reason', e.error) END
    FROM ended e WHERE e.project_id IS NOT NULL
), taken AS (
    UPDATE jobs j SET state = 'running', worker = $3, claim = h.token, rung_at = NULL,
        attempt = j.attempt + 1, crashes = j.crashes + 1, started_at = now(), progress = 0,
        progress_message = NULL
    FROM held h WHERE h.id = j.id AND h.verdict = 'started' AND h.lost
)
SELECT h.id, h.queue, h.kind, h.payload, h.attempt + h.lost::int AS attempt, h.failures,
       h.max_attempts, h.project_id, h.delivery_id, h.correlation_id,
       extract(epoch FROM now() - h.run_at)::float8 AS waited, h.traceparent, h.lane_order,
       h.verdict, p.id IS NOT NULL AS enrolled, p.name, p.repo_url, p.repository, p.repository_id,
       p.default_branch, p.plan, p.org_id, p.created_at AS enrolled_at
FROM held h LEFT JOIN projects p ON p.id = h.project_id

-- name: finish
-- Ends or reschedules attempts, fenced by attempt; with their history, events and deliveries.
-- A job that was to be cancelled and did not complete is cancelled, however its attempt ended.
WITH moved AS (
    UPDATE jobs j SET failures = j.failures + e.failed, worker = NULL, claim = NULL,
        state = CASE WHEN e.kept OR j.cancel_requested_at IS NULL THEN e.state
                     ELSE 'cancelled' END,
        result = CASE WHEN e.kept OR j.cancel_requested_at IS NULL THEN e.result::jsonb
                      ELSE jsonb_build_object('success', false, 'message', 'cancelled',
                                              'error', j.cancel_reason) END,
        error = CASE WHEN e.kept OR j.cancel_requested_at IS NULL THEN e.error
                     ELSE j.cancel_reason END,
        run_at = coalesce(now() + make_interval(secs => e.delay), j.run_at),
        progress = CASE WHEN e.state = 'completed' THEN 100 ELSE j.progress END,
        finished_at = CASE WHEN e.delay IS NULL OR j.cancel_requested_at IS NOT NULL
                           THEN now() END
    FROM (SELECT *, state IN ('completed', 'cancelled') AS kept
          FROM unnest($1::uuid[], $2::int[], $3::text[], $4::float8[], $5::int[], $6::text[],
                      $7::text[]) AS u(id, attempt, state, delay, failed, result, error)) e
    WHERE j.id = e.id AND j.id = ANY ($1::uuid[]) AND j.attempt = e.attempt
      -- Only a running job has a worker. Asked plainly, or by state, statistics of a table of waiting
      -- jobs would make the planner expect no row, and compare each with each.
      AND coalesce(j.worker, '') <> ''
    RETURNING j.id, j.attempt, j.state, e.state AS wanted, j.project_id, j.delivery_id, j.error,
              j.started_at, e.failed
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
      AS t(id, project_id, job_id, event, payload)
    JOIN moved m ON m.id = t.job_id AND m.state = m.wanted
    UNION ALL
    SELECT gen_random_uuid(), m.project_id, m.id, 'job_cancelled',
           jsonb_build_object('jobId', m.id, 'reason', m.error)
    FROM moved m WHERE m.state <> m.wanted AND m.project_id IS NOT NULL
), ended AS (
    SELECT m.delivery_id, sum(m.failed) AS failed,
           (array_agg(m.error ORDER BY m.id) FILTER (WHERE m.error IS NOT NULL))[1] AS error,
           bool_and(m.state IN ('completed', 'cancelled')) AND NOT EXISTS (
               SELECT FROM jobs s WHERE s.delivery_id = m.delivery_id
                 AND s.id <> ALL (array_agg(m.id))
                 AND s.state NOT IN ('completed', 'cancelled', 'superseded')) AS processed
    FROM moved m WHERE m.delivery_id IS NOT NULL GROUP BY m.delivery_id
), marked AS (
    UPDATE webhook_events w SET
        processed = w.processed OR e.processed,
        processed_at = CASE WHEN e.processed THEN coalesce(w.processed_at, now())
                            ELSE w.processed_at END,
        retry_count = w.retry_count + e.failed,
        error_message = CASE WHEN e.processed THEN e.error
                             ELSE coalesce(e.error, w.error_message) END
    FROM ended e WHERE w.delivery_id = e.delivery_id
      AND w.delivery_id = ANY (ARRAY(SELECT delivery_id FROM moved WHERE delivery_id IS NOT NULL))
)
SELECT m.id, m.state,
       CASE WHEN m.state IN ('completed', 'cancelled') AND NOT e.processed
            THEN m.delivery_id END AS unprocessed
FROM moved m LEFT JOIN ended e ON e.delivery_id = m.delivery_id

-- name: retry
-- Dead jobs ($1) wait again, their counts at zero; the attempt number goes on growing.
-- The first is due in $2 seconds, and each of the others $3 seconds after the one before it.
UPDATE jobs j SET state = 'queued', failures = 0, crashes = 0, rung_at = NULL,
    run_at = now() + make_interval(secs => $2::float8
                                           + $3::float8 * (array_position($1::uuid[], j.id) - 1)),
    finished_at = NULL, error = NULL, result = NULL, progress = 0, progress_message = NULL,
    cancel_requested_at = NULL, cancel_reason = NULL, sla_breached_at = NULL
WHERE j.id = ANY ($1::uuid[]) AND j.state = 'dead'
RETURNING j.id, j.queue, j.priority, j.org_id, j.project_id, j.concurrency_key, j.run_at
