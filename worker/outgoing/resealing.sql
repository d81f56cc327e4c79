-- name: sealed_otherwise
-- Endpoints with a secret that another key than $1 sealed, by id, after $2 and up to $3.
SELECT id, org_id, secret, previous_secret FROM outgoing_endpoints
WHERE (secret_key_id <> $1 OR previous_key_id <> $1) AND ($2::uuid IS NULL OR id > $2)
ORDER BY id LIMIT $3

-- name: reseal
-- Puts secrets that were sealed anew with key $2 ($5, $6) in the place of what is still there.
UPDATE outgoing_endpoints SET secret = $5, secret_key_id = $2, previous_secret = $6,
    previous_key_id = CASE WHEN $6::bytea IS NOT NULL THEN $2 END
WHERE id = $1 AND secret = $3 AND previous_secret IS NOT DISTINCT FROM $4
RETURNING id
