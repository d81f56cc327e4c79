-- name: settings
-- What is set for a project's gates; no row where nothing was.
SELECT on_push, network, prepare, trusted_senders, seconds, memory_mb, updated_at
FROM gate_settings WHERE project_id = $1

-- name: save_settings
-- Sets all of it anew; no row comes back without that project.
INSERT INTO gate_settings
    (project_id, on_push, network, prepare, trusted_senders, seconds, memory_mb)
SELECT p.id, $2, $3, $4, $5, $6, $7 FROM projects p WHERE p.id = $1
ON CONFLICT (project_id) DO UPDATE SET on_push = excluded.on_push, network = excluded.network,
    prepare = excluded.prepare, trusted_senders = excluded.trusted_senders,
    seconds = excluded.seconds, memory_mb = excluded.memory_mb, updated_at = now()
RETURNING on_push, network, prepare, trusted_senders, seconds, memory_mb, updated_at

-- name: newest_push
-- The commit scanned last, and the request that pushed it, as long as that is kept.
-- Of the branch $2; null: of the default one, or of the last scanned.
SELECT s.branch, s.commit_sha, w.body
FROM scans s JOIN projects p ON p.id = s.project_id
LEFT JOIN jobs j ON j.id = s.job_id
LEFT JOIN webhook_events w ON w.delivery_id = j.delivery_id
WHERE s.project_id = $1 AND ($2::text IS NULL OR s.branch = $2)
ORDER BY s.branch IS NOT DISTINCT FROM p.default_branch DESC, s.scanned_at DESC
LIMIT 1

-- name: page
-- Evaluations without log and details, newest first, older than a given one ($7).
-- Filtered by what is not null.
SELECT e.job_id, e.gate_type, e.story, e.branch, e.commit_sha, e.sender, e.approved_by, e.state,
       e.verdict, e.started_at, e.finished_at, j.state AS job_state, j.created_at AS asked_at,
       jsonb_build_object('reason', e.evaluation->'reason', 'counts', e.evaluation->'counts',
                          'durationMs', e.evaluation->'durationMs') AS evaluation
FROM gate_evaluations e LEFT JOIN jobs j ON j.id = e.job_id
WHERE e.project_id = $1
  AND ($2::text IS NULL OR e.story = $2) AND ($3::text IS NULL OR e.gate_type = $3)
  AND ($4::text IS NULL OR e.verdict = $4) AND ($5::text IS NULL OR e.commit_sha = $5)
  AND ($6::text IS NULL OR e.branch = $6) AND ($7::uuid IS NULL OR e.job_id < $7)
ORDER BY e.job_id DESC LIMIT $8

-- name: get
-- One evaluation, or the job that has not begun it yet.
SELECT coalesce(e.job_id, j.id) AS job_id,
       coalesce(e.gate_type, j.payload->>'gateType') AS gate_type,
       coalesce(e.story, j.payload->>'storyId') AS story,
       coalesce(e.branch, j.payload->>'branch') AS branch,
       coalesce(e.commit_sha, j.payload->>'commitSha') AS commit_sha,
       coalesce(e.sender, j.payload->>'sender') AS sender,
       coalesce(e.approved_by, j.payload->>'approvedBy') AS approved_by,
       e.state, e.verdict, e.evaluation, e.started_at, e.finished_at,
       j.state AS job_state, j.created_at AS asked_at
FROM (SELECT $2::uuid AS id) asked
LEFT JOIN gate_evaluations e ON e.job_id = asked.id AND e.project_id = $1
LEFT JOIN jobs j ON j.id = asked.id AND j.project_id = $1 AND j.kind = 'gate_evaluation'
WHERE e.job_id IS NOT NULL OR j.id IS NOT NULL

-- name: approve
-- Notes who approved an evaluation that waits for it, the first one for good.
UPDATE gate_evaluations SET approved_by = coalesce(approved_by, $3)
WHERE project_id = $1 AND job_id = $2 AND state = 'awaiting_approval'
RETURNING gate_type, story, branch, commit_sha, sender, approved_by
