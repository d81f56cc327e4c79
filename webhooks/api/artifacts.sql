-- name: branches
-- The branch asked for ($2), else the project's default branch, else the last scanned one.
SELECT s.branch, s.commit_sha, s.scanned_at
FROM scans s JOIN projects p ON p.id = s.project_id
WHERE s.project_id = $1 AND ($2::text IS NULL OR s.branch = $2)
ORDER BY s.branch IS NOT DISTINCT FROM p.default_branch DESC, s.scanned_at DESC
LIMIT 1

-- name: page
-- What stands on a branch, in order of path after a given one ($3), filtered by what is not null.
SELECT a.identifier AS id, a.path, a.blob_sha, a.record
FROM branch_artifacts b
JOIN artifacts a ON a.project_id = b.project_id AND a.path = b.path AND a.blob_sha = b.blob_sha
WHERE b.project_id = $1 AND b.branch = $2 AND a.kind IS NOT NULL
  AND ($3::text IS NULL OR b.path > $3)
  AND ($5::text IS NULL OR a.kind = $5) AND ($6::text IS NULL OR a.status = $6)
  AND ($7::text IS NULL OR a.record->>'subtype' = $7)
  AND ($8::text IS NULL OR a.record->>'epic' = $8)
  AND ($9::text IS NULL OR a.record->>'story' = $9)
  AND ($10::text IS NULL OR starts_with(b.path, $10))
  AND ($11::text IS NULL
       OR strpos(lower(concat_ws(' ', a.identifier, a.title, b.path)), lower($11)) > 0)
ORDER BY b.path LIMIT $4

-- name: standing
-- What stands on a branch under a kind ($3) and an id ($4), which may be a path.
SELECT a.identifier AS id, a.path, a.blob_sha, a.record
FROM artifacts a
JOIN branch_artifacts b ON b.project_id = a.project_id AND b.path = a.path
  AND b.blob_sha = a.blob_sha AND b.branch = $2
WHERE a.project_id = $1 AND a.kind = $3 AND (a.identifier = $4 OR a.path = $4)
ORDER BY a.identifier = $4 DESC, a.path

-- name: history
-- At which commits an artifact ($3 kind, $4 id) got which content and status, the latest first.
-- A content that nobody keeps any more is told without its status.
SELECT h.path, h.blob_sha, h.commit_sha, h.scanned_at, a.title, a.status
FROM artifact_history h
LEFT JOIN artifacts a ON a.project_id = h.project_id AND a.path = h.path
  AND a.blob_sha = h.blob_sha
WHERE h.project_id = $1 AND h.branch = $2
  AND h.path IN (SELECT path FROM artifacts
                 WHERE project_id = $1 AND kind = $3 AND identifier = $4)
  AND (a.path IS NULL OR a.kind = $3 AND a.identifier = $4)
ORDER BY h.seq DESC LIMIT $5

-- name: gates
-- How the newest evaluation of each gate of a story ended.
SELECT DISTINCT ON (gate_type) job_id, gate_type, verdict, evaluation->>'reason' AS reason,
       commit_sha, branch, finished_at
FROM gate_evaluations WHERE project_id = $1 AND story = $2 AND state = 'done'
ORDER BY gate_type, job_id DESC
