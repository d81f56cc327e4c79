-- name: add
-- Adds an organisation; no row comes back when its id is taken.
INSERT INTO organisations (id, name, timezone, email)
VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING
RETURNING *

-- name: change
-- Changes what is given of an organisation ($4: whether the email address is).
UPDATE organisations SET name = coalesce($2, name), timezone = coalesce($3, timezone),
    email = CASE WHEN $4::bool THEN $5 ELSE email END, updated_at = now()
WHERE id = $1
RETURNING *

-- name: get
-- One organisation.
SELECT * FROM organisations WHERE id = $1

-- name: page
-- Organisations in the order of their ids, after a given one.
SELECT * FROM organisations WHERE $1::text IS NULL OR id > $1 ORDER BY id LIMIT $2
