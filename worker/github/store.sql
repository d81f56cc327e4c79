-- name: begin
-- A job ($4) begins to find out what to show. What is completed, or may be just now, is shown anew.
-- No row comes back when a later job has begun already.
INSERT INTO github_reports AS r (project_id, commit_sha, name, job_id) VALUES ($1, $2, $3, $4)
ON CONFLICT (project_id, commit_sha, name) DO UPDATE SET
    job_id = excluded.job_id, problem = NULL, swept_with = NULL, updated_at = now(),
    round = r.round + (r.sent_state IS NOT DISTINCT FROM 'completed'
                       OR coalesce(r.sending_until > now(), false))::int,
    check_run_id = CASE WHEN r.sent_state = 'completed' THEN NULL ELSE r.check_run_id END,
    sent_digest = CASE WHEN r.sent_state = 'completed' THEN NULL ELSE r.sent_digest END,
    sent_state = CASE WHEN r.sent_state IN ('completed', 'unconfigured', 'refused') THEN NULL
                      ELSE r.sent_state END
WHERE r.job_id <= excluded.job_id
RETURNING r.round

-- name: claim
-- Gives a report to a sender ($4, of the job $5) for $6 seconds, with what the record says of it.
WITH held AS (
    SELECT * FROM github_reports
    WHERE project_id = $1 AND commit_sha = $2 AND name = $3 FOR UPDATE
), taken AS (
    UPDATE github_reports r SET sender = $4, sending_until = now() + make_interval(secs => $6)
    FROM held h
    WHERE r.project_id = $1 AND r.commit_sha = $2 AND r.name = $3
      AND (h.sending_until IS NULL OR h.sending_until < now()
           -- An earlier attempt of the same job is over.
           OR starts_with(h.sender, $5 || ':'))
    RETURNING r.project_id
)
SELECT h.*, h.sender IS NOT NULL AS uncertain, EXISTS (SELECT FROM taken) AS claimed,
       j.state, j.error, j.result ->> 'message' AS message, j.failures, j.started_at,
       g.state AS gate_state, g.verdict, g.evaluation, g.sender AS pushed_by,
       c.branch, c.job_id = h.job_id AS own, j.payload ->> 'branch' AS asked_branch
FROM held h
LEFT JOIN jobs j ON j.id = h.job_id
LEFT JOIN gate_evaluations g ON g.job_id = h.job_id
LEFT JOIN LATERAL (
    SELECT c.branch, c.job_id FROM conflict_checks c
    WHERE c.project_id = h.project_id AND c.commit_sha = h.commit_sha
    ORDER BY c.job_id = h.job_id DESC, c.checked_at DESC LIMIT 1
) c ON true

-- name: conflicts
-- The open conflicts of a branch ($2), the worst first; new: those that this commit or job brought.
SELECT finding, first_seen_commit = $3 OR found_by = $4 AS new
FROM conflicts WHERE project_id = $1 AND branch = $2 AND resolved_at IS NULL
ORDER BY array_position('{error,warning,info}', severity), fingerprint

-- name: conflicts_since
-- What a commit ($2) or job ($3) brought on any branch, resolved since or not, the worst first.
SELECT finding FROM conflicts
WHERE project_id = $1 AND (first_seen_commit = $2 OR found_by = $3)
ORDER BY array_position('{error,warning,info}', severity), fingerprint

-- name: created
-- Notes the check run ($4) that a sender ($5) has made.
UPDATE github_reports SET check_run_id = $4
WHERE project_id = $1 AND commit_sha = $2 AND name = $3 AND sender = $5

-- name: sent
-- Notes what a sender ($4) has sent in a round ($5): the check run, the state and its digest.
-- Of a round that is over, what is completed is forgotten, and an open check run is taken over.
UPDATE github_reports SET
    check_run_id = CASE WHEN round = $5 OR $7 <> 'completed' THEN $6::bigint END,
    sent_state = CASE WHEN round = $5 OR $7 <> 'completed' THEN $7::text END,
    sent_digest = CASE WHEN round = $5 THEN $8::text END,
    problem = NULL, sender = NULL, sending_until = NULL, updated_at = now()
WHERE project_id = $1 AND commit_sha = $2 AND name = $3 AND sender = $4

-- name: release
-- A sender ($4) gives up: whether it knows what became of its sending ($5), and why it gives up.
-- With a state ($7) nobody tries again until the next job begins.
UPDATE github_reports SET sending_until = NULL, sender = CASE WHEN $5 THEN NULL ELSE sender END,
    problem = $6, sent_state = coalesce($7, sent_state), updated_at = now()
WHERE project_id = $1 AND commit_sha = $2 AND name = $3 AND sender = $4

-- name: overdue
-- Reports that do not show how their job ended, and that nobody is about to send: up to $1.
-- One with a problem, or whose last sending came to nothing, rests for ten minutes.
SELECT r.project_id, r.commit_sha, r.name, r.updated_at, r.swept_with
FROM github_reports r
LEFT JOIN jobs j ON j.id = r.job_id
LEFT JOIN jobs s ON s.id = r.swept_with
WHERE (r.sent_state IS NULL OR r.sent_state NOT IN ('completed', 'unconfigured', 'refused'))
  AND r.updated_at < now() - CASE WHEN r.problem IS NULL THEN interval '10 s'
                                  ELSE interval '10 min' END
  AND (j.id IS NULL OR j.finished_at IS NOT NULL)
  AND (s.id IS NULL OR s.finished_at < now() - interval '10 min')
ORDER BY r.updated_at LIMIT $1

-- name: swept
-- Notes the job ($4) that is to send a report.
UPDATE github_reports SET swept_with = $4 WHERE project_id = $1 AND commit_sha = $2 AND name = $3

-- name: forget
-- Deletes up to $2 reports that nothing has happened to for $1 days.
DELETE FROM github_reports WHERE (project_id, commit_sha, name) IN (
    SELECT project_id, commit_sha, name FROM github_reports
    WHERE updated_at < now() - make_interval(days => $1) LIMIT $2
)
RETURNING name
