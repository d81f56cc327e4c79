-- name: branches
-- The branch asked for ($2), else the project's default branch, else the last compared one.
SELECT c.branch, c.commit_sha, c.checked_at
FROM conflict_checks c JOIN projects p ON p.id = c.project_id
WHERE c.project_id = $1 AND ($2::text IS NULL OR c.branch = $2)
ORDER BY c.branch IS NOT DISTINCT FROM p.default_branch DESC, c.checked_at DESC
LIMIT 1

-- name: page
-- Conflicts of a branch, the worst first, after a given one ($3), filtered by what is not null.
-- Of these statuses ($5); new is what the newest compared commit ($6) brought.
SELECT * FROM (
    SELECT c.*, CASE WHEN resolved_at IS NOT NULL THEN 'resolved'
                     WHEN suppressed IS NOT NULL THEN 'suppressed'
                     WHEN first_seen_commit = $6 THEN 'new' ELSE 'persisting' END AS status,
           array_position('{error,warning,info}', severity) || ' ' || code || ' ' || fingerprint
               AS place
    FROM conflicts c WHERE project_id = $1 AND branch = $2
) placed
WHERE ($3::text IS NULL OR place COLLATE "C" > $3)
  AND status = ANY ($5::text[])
  AND ($7::text IS NULL OR severity = $7) AND ($8::text IS NULL OR code = $8)
  AND ($9::text IS NULL
       OR finding->'evidence' @> jsonb_build_array(jsonb_build_object('path', $9)))
  AND ($10::text IS NULL OR fingerprint = $10)
ORDER BY place COLLATE "C" LIMIT $4
