-- name: take
-- Gives the job a notification that it had begun to tell, or that another job failed to tell.
UPDATE notifications SET job_id = $3, state = 'pending', problem = NULL
WHERE org_id = $1 AND key = $2
  AND (state = 'failed' OR state = 'pending' AND job_id = $3)
RETURNING *

-- name: make
-- Records a notification; no row comes back when its key was told of already.
INSERT INTO notifications (id, org_id, type, key, data, channels, email_to, job_id, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'pending')
ON CONFLICT (org_id, key) DO NOTHING
RETURNING id

-- name: settle
-- Says how a notification stands that was just made.
UPDATE notifications SET state = $2, sent_at = CASE WHEN $2 = 'sent' THEN now() END
WHERE id = $1
RETURNING *

-- name: count_repeat
-- Counts a job that came to tell what another one tells: once, however often it runs.
WITH counted AS (
    INSERT INTO notification_repeats (notification_id, job_id)
    SELECT id, $3 FROM notifications WHERE org_id = $1 AND key = $2 AND job_id <> $3
    ON CONFLICT DO NOTHING
    RETURNING notification_id
)
UPDATE notifications SET repeats = repeats + 1
WHERE id IN (SELECT notification_id FROM counted)

-- name: with_key
-- The notification with this key.
SELECT * FROM notifications WHERE org_id = $1 AND key = $2

-- name: sent
-- The email is on its way: what the service called it is kept.
UPDATE notifications SET state = 'sent', sent_at = now(), email_id = $3
WHERE id = $1 AND job_id = $2 AND state = 'pending'
RETURNING id

-- name: failed
-- The email cannot be sent, or not any more by this job.
UPDATE notifications SET state = 'failed', problem = $3
WHERE id = $1 AND job_id = $2 AND state = 'pending'
RETURNING id

-- name: get
-- One notification of an organisation.
SELECT * FROM notifications WHERE org_id = $1 AND id = $2

-- name: page
-- An organisation's notifications, newest first, before a given one.
SELECT * FROM notifications
WHERE org_id = $1 AND ($2::uuid IS NULL OR id < $2)
  AND ($3::text IS NULL OR type = $3) AND ($4::text IS NULL OR state = $4)
ORDER BY id DESC LIMIT $5
