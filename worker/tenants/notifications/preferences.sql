-- name: of_type
-- By which channels an organisation wants to be told of one type, if it said so.
SELECT channels FROM notification_preferences WHERE org_id = $1 AND type = $2

-- name: all
-- What an organisation said about each type.
SELECT type, channels FROM notification_preferences WHERE org_id = $1

-- name: forget
-- Forgets what an organisation said about all types but these.
DELETE FROM notification_preferences WHERE org_id = $1 AND type <> ALL ($2::text[])

-- name: keep
-- Keeps what an organisation says about a type.
INSERT INTO notification_preferences (org_id, type, channels) VALUES ($1, $2, $3)
ON CONFLICT (org_id, type) DO UPDATE SET channels = excluded.channels, updated_at = now()
WHERE notification_preferences.channels <> excluded.channels
