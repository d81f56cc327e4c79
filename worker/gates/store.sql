-- name: settings
-- How the project's gates are run; no row where nothing was set.
SELECT network, prepare, trusted_senders, seconds, memory_mb
FROM gate_settings WHERE project_id = $1

-- name: newest
-- The branch and commit that a job ($3) has begun with, else those that were scanned last.
-- Of the branch $2; null: of the default one, or of the last scanned.
(SELECT branch, commit_sha FROM gate_evaluations WHERE job_id = $3)
UNION ALL
(SELECT s.branch, s.commit_sha FROM scans s JOIN projects p ON p.id = s.project_id
 WHERE s.project_id = $1 AND ($2::text IS NULL OR s.branch = $2)
 ORDER BY s.branch IS NOT DISTINCT FROM p.default_branch DESC, s.scanned_at DESC LIMIT 1)
LIMIT 1

-- name: begin
-- Notes that an evaluation begins, or begins again; one that is done stays done.
INSERT INTO gate_evaluations AS e (job_id, project_id, gate_type, story, branch, commit_sha, sender,
                                   approved_by, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'running')
ON CONFLICT (job_id) DO UPDATE SET started_at = CASE WHEN e.state = 'done' THEN e.started_at
                                                     ELSE now() END
RETURNING evaluation

-- name: await_approval
-- Has an evaluation that has not been made wait until somebody approves it.
UPDATE gate_evaluations SET state = 'awaiting_approval' WHERE job_id = $1 AND state = 'running'

-- name: record
-- Keeps the first verdict that a job comes to.
UPDATE gate_evaluations SET state = 'done', verdict = $2, evaluation = $3::jsonb, finished_at = now()
WHERE job_id = $1 AND state <> 'done'
