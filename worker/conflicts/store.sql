-- name: scanned
-- The tree that a branch ($2, or else the default one, or else the last scanned) stands for.
-- With it comes what its documents were last compared at.
SELECT s.branch, s.commit_sha, s.tree_sha, s.parser_version, c.tree_sha AS checked_tree,
       c.job_id AS checked_by, c.parser_version AS checked_parser, c.rules_version
FROM scans s JOIN projects p ON p.id = s.project_id
LEFT JOIN conflict_checks c ON c.project_id = s.project_id AND c.branch = s.branch
WHERE s.project_id = $1 AND ($2::text IS NULL OR s.branch = $2)
ORDER BY s.branch IS NOT DISTINCT FROM p.default_branch DESC, s.scanned_at DESC
LIMIT 1

-- name: changed
-- The documents that differ from those last compared: what they say now, and their groups then.
SELECT coalesce(b.path, c.path) AS path, b.blob_sha, a.record::text AS record, c.keys
FROM (SELECT path, blob_sha FROM branch_artifacts WHERE project_id = $1 AND branch = $2) b
FULL JOIN (SELECT path, blob_sha, keys FROM checked_artifacts
           WHERE project_id = $1 AND branch = $2) c ON c.path = b.path
LEFT JOIN artifacts a ON a.project_id = $1 AND a.path = b.path AND a.blob_sha = b.blob_sha
WHERE b.blob_sha IS DISTINCT FROM c.blob_sha

-- name: everything
-- All documents of a branch.
SELECT b.path, b.blob_sha, a.record::text AS record
FROM branch_artifacts b
JOIN artifacts a ON a.project_id = $1 AND a.path = b.path AND a.blob_sha = b.blob_sha
WHERE b.project_id = $1 AND b.branch = $2

-- name: members
-- The documents compared before in one of the groups $3, but for the paths $4.
SELECT a.record::text AS record
FROM checked_artifacts c
JOIN artifacts a ON a.project_id = $1 AND a.path = c.path AND a.blob_sha = c.blob_sha
WHERE c.project_id = $1 AND c.branch = $2 AND c.keys && $3::text[] AND c.path <> ALL ($4::text[])
  AND a.kind IS NOT NULL

-- name: keys_of
-- The groups of the documents with these identifiers ($3).
SELECT c.keys FROM checked_artifacts c
JOIN artifacts a ON a.project_id = $1 AND a.path = c.path AND a.blob_sha = c.blob_sha
WHERE c.project_id = $1 AND c.branch = $2 AND a.identifier = ANY ($3::text[])

-- name: verdicts
-- How the newest evaluation of each gate of each of these stories ($2) ended.
SELECT DISTINCT ON (story, gate_type) story, gate_type, verdict, commit_sha, finished_at
FROM gate_evaluations
WHERE project_id = $1 AND story = ANY ($2::text[]) AND state = 'done'
ORDER BY story, gate_type, job_id DESC

-- name: judged_stories
-- The stories that gates were evaluated for.
SELECT DISTINCT story FROM gate_evaluations
WHERE project_id = $1 AND story IS NOT NULL AND state = 'done'

-- name: lock_branch
-- Held until the end of the transaction, so that two comparisons of a branch cannot interleave.
SELECT pg_advisory_xact_lock(hashtextextended('conflicts ' || $1::uuid::text || $2::text, 0))

-- name: base
-- What the branch was last compared at.
SELECT tree_sha, job_id FROM conflict_checks WHERE project_id = $1 AND branch = $2

-- name: record_check
-- Remembers the tree that the branch's conflicts now stand for.
INSERT INTO conflict_checks
    (project_id, branch, commit_sha, tree_sha, parser_version, rules_version, job_id)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (project_id, branch) DO UPDATE SET commit_sha = excluded.commit_sha,
    tree_sha = excluded.tree_sha, parser_version = excluded.parser_version,
    rules_version = excluded.rules_version, job_id = excluded.job_id, checked_at = now()

-- name: forget_checked
-- Takes documents off what was compared: these paths ($3), or all if $4.
DELETE FROM checked_artifacts
WHERE project_id = $1 AND branch = $2 AND ($4::boolean OR path = ANY ($3::text[]))

-- name: note_checked
-- Notes with which content ($4) and in which groups ($5, JSON) documents ($3) were compared.
INSERT INTO checked_artifacts (project_id, branch, path, blob_sha, keys)
SELECT $1, $2, d.path, d.blob_sha, ARRAY(SELECT jsonb_array_elements_text(d.keys::jsonb))
FROM unnest($3::text[], $4::text[], $5::text[]) AS d(path, blob_sha, keys)
ON CONFLICT (project_id, branch, path) DO UPDATE SET blob_sha = excluded.blob_sha,
    keys = excluded.keys

-- name: resolve
-- Closes what is not found any more ($4) in the groups that were compared ($3; null: all of them).
UPDATE conflicts SET resolved_commit = $5, resolved_at = now()
WHERE project_id = $1 AND branch = $2 AND resolved_at IS NULL
  AND ($3::text[] IS NULL OR key = ANY ($3)) AND fingerprint <> ALL ($4::text[])
RETURNING fingerprint

-- name: keep
-- Keeps what was found. What was resolved before is new again; what was open stays as old as it is.
INSERT INTO conflicts AS c (project_id, branch, fingerprint, code, severity, key, finding,
                            suppressed, first_seen_commit, found_by, last_seen_commit)
SELECT $1, $2, f.fingerprint, f.code, f.severity, f.key, f.finding::jsonb, f.suppressed, $3, $4, $3
FROM unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
  AS f(fingerprint, code, severity, key, finding, suppressed)
ON CONFLICT (project_id, branch, fingerprint) DO UPDATE SET
    code = excluded.code, severity = excluded.severity, key = excluded.key,
    finding = excluded.finding, suppressed = excluded.suppressed,
    last_seen_commit = excluded.last_seen_commit,
    first_seen_commit = CASE WHEN c.resolved_at IS NULL THEN c.first_seen_commit
                             ELSE excluded.first_seen_commit END,
    first_seen_at = CASE WHEN c.resolved_at IS NULL THEN c.first_seen_at ELSE now() END,
    found_by = CASE WHEN c.resolved_at IS NULL THEN c.found_by ELSE excluded.found_by END,
    resolved_commit = NULL, resolved_at = NULL

-- name: counts
-- How many conflicts are open on a branch and not suppressed, and how many of them job $3 found.
SELECT severity, count(*) AS open, count(*) FILTER (WHERE found_by = $3) AS fresh
FROM conflicts
WHERE project_id = $1 AND branch = $2 AND resolved_at IS NULL AND suppressed IS NULL
GROUP BY severity

-- name: fresh
-- The errors and warnings that job $3 found, errors first, at most $4.
SELECT finding::text AS finding FROM conflicts
WHERE project_id = $1 AND branch = $2 AND resolved_at IS NULL AND suppressed IS NULL
  AND found_by = $3 AND severity <> 'info'
ORDER BY severity, fingerprint LIMIT $4
