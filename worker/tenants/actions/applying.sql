-- name: hold
-- Lets nobody else act on this target of an organisation until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended(format('%L %L %L', $1::text, $2::text, $3::text), 0))

-- name: begin
-- Notes that a job acts; no row: it has done so before. `late`: its time is over already.
INSERT INTO automatic_actions
    (id, org_id, job_id, action, target_id, reason, threshold, restore_at, changed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, false)
ON CONFLICT (job_id) DO NOTHING
RETURNING id, applied_at, coalesce(restore_at <= now(), false) AS late

-- name: settle
-- Says what became of an action ($1): changed ($2) or waits ($3), else there is nothing to restore.
UPDATE automatic_actions SET changed = $2, waits = $3, reason = $4,
    restore_at = CASE WHEN ($2 OR $3) AND action <> 'send_notification' THEN restore_at END
WHERE id = $1
RETURNING *

-- name: of_job
-- The action that a job has taken.
SELECT * FROM automatic_actions WHERE job_id = $1

-- name: get
-- One action ($2) of an organisation ($1).
SELECT * FROM automatic_actions WHERE org_id = $1 AND id = $2

-- name: holder
-- The action that keeps a target as it is.
SELECT id FROM automatic_actions
WHERE org_id = $1 AND action = $2 AND target_id = $3 AND changed
  AND reverted_at IS NULL AND action <> 'send_notification'

-- name: overrule
-- Ends the active actions on a target but one ($4): somebody had undone what they did.
UPDATE automatic_actions SET reverted_at = now(), reverted_by = 'a person', waits = false
WHERE org_id = $1 AND action = $2 AND target_id = $3 AND id <> $4
  AND reverted_at IS NULL AND (changed OR waits) AND action <> 'send_notification'
