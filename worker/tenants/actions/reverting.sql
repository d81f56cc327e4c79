-- name: heir
-- The waiting action on a target that lasts longest, and beyond $4 (null: now).
SELECT id, reason FROM automatic_actions
WHERE org_id = $1 AND action = $2 AND target_id = $3 AND waits
  AND reverted_at IS NULL AND action <> 'send_notification'
  AND (restore_at IS NULL OR restore_at > coalesce($4::timestamptz, now()))
ORDER BY restore_at DESC NULLS FIRST, id LIMIT 1

-- name: inherit
-- Lets a waiting action take the place of the one before it; $2: whether it could.
UPDATE automatic_actions SET changed = $2, waits = false WHERE id = $1

-- name: revert
-- Ends an action on somebody's ($2) behalf.
UPDATE automatic_actions SET reverted_at = now(), reverted_by = $2, waits = false WHERE id = $1
RETURNING *

-- name: due
-- Up to $2 actions that were to last until now ($1) or a time before.
SELECT org_id, id FROM automatic_actions
WHERE reverted_at IS NULL AND restore_at <= coalesce($1::timestamptz, now())
ORDER BY restore_at, id LIMIT $2
