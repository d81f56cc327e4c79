-- name: set_of_project
-- Stores a project's credential, in the place of a former one; no row without that project.
INSERT INTO credentials AS c (id, project_id, kind, host, sealed, key_id)
SELECT $1, p.id, $3, $4, $5, $6 FROM projects p WHERE p.id = $2
ON CONFLICT (project_id, kind, host) WHERE project_id IS NOT NULL DO UPDATE SET
    sealed = excluded.sealed, key_id = excluded.key_id, created_at = now(), rotated_at = NULL
RETURNING id, project_id, org_id, kind, host, key_id, created_at, rotated_at

-- name: set_of_organisation
-- Stores an organisation's credential, in the place of a former one.
INSERT INTO credentials AS c (id, org_id, kind, host, sealed, key_id)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (org_id, kind, host) WHERE org_id IS NOT NULL DO UPDATE SET
    sealed = excluded.sealed, key_id = excluded.key_id, created_at = now(), rotated_at = NULL
RETURNING id, project_id, org_id, kind, host, key_id, created_at, rotated_at

-- name: page
-- Credentials without what is sealed, by id after a given one, filtered by what is not null.
SELECT id, project_id, org_id, kind, host, key_id, created_at, rotated_at FROM credentials
WHERE ($1::uuid IS NULL OR project_id = $1) AND ($2::text IS NULL OR org_id = $2)
  AND ($3::uuid IS NULL OR id > $3)
ORDER BY id LIMIT $4

-- name: remove
-- Deletes the credential of an owner for a host.
DELETE FROM credentials
WHERE project_id IS NOT DISTINCT FROM $1::uuid AND org_id IS NOT DISTINCT FROM $2::text
  AND kind = $3 AND host = $4
RETURNING id, project_id, org_id, kind, host, key_id, created_at, rotated_at

-- name: usable
-- What a project ($1) of an organisation ($2) has for a host: its own first, then kinds in order.
SELECT project_id, org_id, kind, host, sealed FROM credentials
WHERE (project_id = $1 OR org_id = $2) AND host = $3 AND kind = ANY ($4::text[])
ORDER BY project_id IS NULL, array_position($4::text[], kind)

-- name: sealed_otherwise
-- Up to $3 credentials, by id after a given one ($2), that another key ($1 is the first) sealed.
SELECT id, project_id, org_id, kind, host, sealed FROM credentials
WHERE key_id <> $1 AND ($2::uuid IS NULL OR id > $2)
ORDER BY id LIMIT $3

-- name: reseal
-- Puts the newly sealed in the place of what was read, unless it was set anew meanwhile.
UPDATE credentials c SET sealed = n.sealed, key_id = $1, rotated_at = now()
FROM unnest($2::uuid[], $3::bytea[], $4::bytea[]) AS n(id, former, sealed)
WHERE c.id = n.id AND c.sealed = n.former
RETURNING c.id
