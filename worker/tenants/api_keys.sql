-- name: make
-- Keeps a new key's digest; no row comes back when there is no such organisation.
INSERT INTO api_keys (id, org_id, name, prefix, hash, expires_at)
SELECT $1, id, $3, $4, $5, $6 FROM organisations WHERE id = $2
RETURNING id, name, prefix, 'active' AS state, created_at, expires_at, last_used_at, blocked_at,
    blocked_reason, revoked_at

-- name: page
-- An organisation's keys in the order they were made, after a given one.
SELECT id, name, prefix, api_key_state(k) AS state, created_at, expires_at, last_used_at,
    blocked_at, blocked_reason, revoked_at
FROM api_keys k
WHERE org_id = $1 AND ($2::uuid IS NULL OR id > $2)
ORDER BY id LIMIT $3

-- name: find
-- The key with a digest; `stale`: its use was last noted more than a minute ago.
SELECT id, org_id, name, api_key_state(k) AS state, blocked_reason,
    coalesce(last_used_at < now() - interval '1 minute', true) AS stale
FROM api_keys k WHERE hash = $1

-- name: note_use
-- Notes that keys were used; those that another process is noting are left to it.
UPDATE api_keys SET last_used_at = now()
WHERE id IN (
    SELECT id FROM api_keys
    WHERE id = ANY ($1::uuid[])
        AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
    FOR UPDATE SKIP LOCKED
)

-- name: revoke
-- Ends a key for good.
UPDATE api_keys k SET revoked_at = coalesce(revoked_at, now()) WHERE org_id = $1 AND id = $2
RETURNING id, name, prefix, api_key_state(k) AS state, created_at, expires_at, last_used_at,
    blocked_at, blocked_reason, revoked_at

-- name: unblock_by_hand
-- Lets a key be used again.
UPDATE api_keys k SET blocked_at = NULL, blocked_reason = NULL WHERE org_id = $1 AND id = $2
RETURNING id, name, prefix, api_key_state(k) AS state, created_at, expires_at, last_used_at,
    blocked_at, blocked_reason, revoked_at

-- name: block
-- Blocks a key for a reason; tells whether it was usable, and null when it does not exist.
WITH changed AS (
    UPDATE api_keys SET blocked_at = now(), blocked_reason = $3
    WHERE org_id = $1 AND id = $2 AND blocked_at IS NULL AND revoked_at IS NULL
    RETURNING true
)
SELECT EXISTS (SELECT FROM changed) FROM api_keys WHERE org_id = $1 AND id = $2

-- name: unblock
-- Unblocks a key, if need be only one blocked for this reason; tells what `block` does.
WITH changed AS (
    UPDATE api_keys SET blocked_at = NULL, blocked_reason = NULL
    WHERE org_id = $1 AND id = $2 AND blocked_at IS NOT NULL
        AND ($3::text IS NULL OR blocked_reason = $3)
    RETURNING true
)
SELECT EXISTS (SELECT FROM changed) FROM api_keys WHERE org_id = $1 AND id = $2
