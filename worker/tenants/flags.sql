-- name: put
-- Makes or switches a flag by hand; no row comes back when there is no such organisation.
INSERT INTO feature_flags (org_id, key, enabled, description)
SELECT id, $2, $3, coalesce($4, '') FROM organisations WHERE id = $1
ON CONFLICT (org_id, key) DO UPDATE SET enabled = EXCLUDED.enabled, disabled_reason = NULL,
    description = coalesce($4, feature_flags.description), updated_at = now()
RETURNING key, enabled, description, disabled_reason, updated_at

-- name: evaluate
-- Whether a feature may be used, and if not, why.
SELECT enabled, disabled_reason FROM feature_flags WHERE org_id = $1 AND key = $2

-- name: delete
-- Forgets a flag.
DELETE FROM feature_flags WHERE org_id = $1 AND key = $2
RETURNING key, enabled, description, disabled_reason, updated_at

-- name: page
-- An organisation's flags by key, after a given one.
SELECT key, enabled, description, disabled_reason, updated_at FROM feature_flags
WHERE org_id = $1 AND ($2::text IS NULL OR key > $2)
ORDER BY key LIMIT $3

-- name: disable
-- Disables a flag for a reason; tells whether it was enabled, and null when it does not exist.
WITH changed AS (
    UPDATE feature_flags SET enabled = false, disabled_reason = $3, updated_at = now()
    WHERE org_id = $1 AND key = $2 AND enabled
    RETURNING true
)
SELECT EXISTS (SELECT FROM changed) FROM feature_flags WHERE org_id = $1 AND key = $2

-- name: enable
-- Enables a flag that is disabled, if need be for this reason only; tells what `disable` does.
WITH changed AS (
    UPDATE feature_flags SET enabled = true, disabled_reason = NULL, updated_at = now()
    WHERE org_id = $1 AND key = $2 AND NOT enabled
        AND ($3::text IS NULL OR disabled_reason = $3)
    RETURNING true
)
SELECT EXISTS (SELECT FROM changed) FROM feature_flags WHERE org_id = $1 AND key = $2
