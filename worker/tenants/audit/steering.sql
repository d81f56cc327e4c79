-- name: owner
-- The known organisation with an id ($1), or that of a job or project ($2).
SELECT o.id FROM organisations o
WHERE o.id = coalesce(
    $1::text,
    (SELECT coalesce(j.org_id, p.org_id) FROM jobs j LEFT JOIN projects p ON p.id = j.project_id
     WHERE j.id = $2::uuid),
    (SELECT p.org_id FROM projects p WHERE p.id = $2::uuid)
)
