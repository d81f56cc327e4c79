-- name: last_scan
-- The tree that a branch's artifacts were last read from.
SELECT commit_sha, tree_sha, parser_version, job_id, lane_order
FROM scans WHERE project_id = $1 AND branch = $2

-- name: lock_scan
-- The same, held until the end of the transaction so that two scans cannot interleave.
SELECT tree_sha, job_id, lane_order FROM scans
WHERE project_id = $1 AND branch = $2 FOR UPDATE

-- name: lock_branch
-- Stands in for the row that a branch's first scan does not have yet.
SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text || $2::text, 0))

-- name: known
-- Which of these documents were read before, by the same parser.
SELECT a.path, a.blob_sha FROM artifacts a
JOIN unnest($2::text[], $3::text[]) AS d(path, blob_sha)
  ON a.path = d.path AND a.blob_sha = d.blob_sha
WHERE a.project_id = $1 AND a.parser_version = $4

-- name: keep
-- Keeps what documents say; a newer parser's reading replaces an older one's.
INSERT INTO artifacts
    (project_id, path, blob_sha, parser_version, kind, identifier, title, status, record)
SELECT $1, d.path, d.blob_sha, $2, d.kind, d.identifier, d.title, d.status, d.record::jsonb
FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
  AS d(path, blob_sha, kind, identifier, title, status, record)
ON CONFLICT (project_id, path, blob_sha) DO UPDATE SET
    parser_version = excluded.parser_version, kind = excluded.kind,
    identifier = excluded.identifier, title = excluded.title, status = excluded.status,
    record = excluded.record, parsed_at = now()

-- name: note_history
-- Notes which documents ($3) get another content ($4) or go ($5; all others if $8), before they do.
INSERT INTO artifact_history (project_id, branch, path, blob_sha, commit_sha, job_id)
SELECT $1::uuid, $2::text, d.path, d.blob_sha, $6, $7::uuid
FROM unnest($3::text[], $4::text[]) AS d(path, blob_sha)
LEFT JOIN branch_artifacts b ON b.project_id = $1 AND b.branch = $2 AND b.path = d.path
WHERE b.blob_sha IS DISTINCT FROM d.blob_sha
UNION ALL
SELECT b.project_id, b.branch, b.path, NULL, $6, $7
FROM branch_artifacts b
WHERE b.project_id = $1 AND b.branch = $2
  AND (b.path = ANY ($5::text[]) OR $8::boolean AND b.path <> ALL ($3::text[]))

-- name: clear
-- Empties a branch before a full listing.
DELETE FROM branch_artifacts WHERE project_id = $1 AND branch = $2

-- name: remove
-- Takes paths off a branch.
DELETE FROM branch_artifacts WHERE project_id = $1 AND branch = $2 AND path = ANY ($3::text[])

-- name: place
-- Puts documents on a branch, or their new contents.
INSERT INTO branch_artifacts (project_id, branch, path, blob_sha)
SELECT $1, $2, d.path, d.blob_sha FROM unnest($3::text[], $4::text[]) AS d(path, blob_sha)
ON CONFLICT (project_id, branch, path) DO UPDATE SET blob_sha = excluded.blob_sha

-- name: record_scan
-- Remembers the tree that the branch's artifacts now stand for.
INSERT INTO scans AS s (project_id, branch, commit_sha, tree_sha, parser_version, job_id, lane_order)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (project_id, branch) DO UPDATE SET commit_sha = excluded.commit_sha,
    tree_sha = excluded.tree_sha, parser_version = excluded.parser_version,
    job_id = excluded.job_id, scanned_at = now(),
    -- A scan that somebody asked for by hand has no order; older pushes stay older.
    lane_order = coalesce(excluded.lane_order, s.lane_order)

-- name: count
-- How many artifacts a branch has.
SELECT count(*) FROM branch_artifacts b
JOIN artifacts a USING (project_id, path, blob_sha)
WHERE b.project_id = $1 AND b.branch = $2 AND a.kind IS NOT NULL

-- name: forget_unused
-- Deletes up to $2 contents that stand on no branch and were read more than $1 days ago.
DELETE FROM artifacts WHERE (project_id, path, blob_sha) IN (
    SELECT a.project_id, a.path, a.blob_sha FROM artifacts a
    WHERE a.parsed_at < now() - make_interval(days => $1)
      AND NOT EXISTS (SELECT FROM branch_artifacts b WHERE b.project_id = a.project_id
                        AND b.path = a.path AND b.blob_sha = a.blob_sha)
    LIMIT $2
)
RETURNING project_id
