-- name: create
-- Enrols a repository; no row comes back when it is enrolled already.
INSERT INTO projects (id, name, repo_url, repository, plan, org_id)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING
RETURNING *

-- name: get
-- One project.
SELECT * FROM projects WHERE id = $1

-- name: page
-- Projects in order of enrolment, after a given one.
SELECT * FROM projects WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2

-- name: matching
-- The projects that pushes from these repositories ($1 lower-case names, $2 ids) could belong to.
-- With the gates that their pushes run.
SELECT p.*, coalesce(g.on_push, '{}') AS gates
FROM projects p LEFT JOIN gate_settings g ON g.project_id = p.id
WHERE lower(repository) = ANY ($1::text[]) OR repository_id = ANY ($2::bigint[])

-- name: learn
-- Remembers GitHub's id of a repository and its default branch, as a signed push told them.
UPDATE projects p SET repository_id = coalesce(p.repository_id, s.repository_id),
    default_branch = coalesce(s.default_branch, p.default_branch)
FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS s(id, repository_id, default_branch)
WHERE p.id = s.id
