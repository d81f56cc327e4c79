-- name: branches
-- The branch asked for ($2), else the project's default branch, else the last scanned one.
SELECT s.branch, s.commit_sha, s.scanned_at
FROM scans s JOIN projects p ON p.id = s.project_id
WHERE s.project_id = $1 AND ($2::text IS NULL OR s.branch = $2)
ORDER BY s.branch IS NOT DISTINCT FROM p.default_branch DESC, s.scanned_at DESC
LIMIT 1

-- name: page
-- What stands on a branch, in order of path after a given one, filtered by what is not null.
SELECT a.identifier AS id, a.path, a.blob_sha, a.record
FROM branch_artifacts b
JOIN artifacts a ON a.project_id = b.project_id AND a.path = b.path AND a.blob_sha = b.blob_sha
WHERE b.project_id = $1 AND b.branch = $2 AND a.kind IS NOT NULL
  AND ($3::text IS NULL OR a.kind = $3) AND ($4::text IS NULL OR a.status = $4)
  AND ($5::text IS NULL OR b.path > $5)
ORDER BY b.path LIMIT $6
