-- name: publishable
-- Events whose publishing a crash or an outage may have cut short, oldest first.
SELECT id, project_id, event, payload, created_at FROM events
WHERE published_at IS NULL AND created_at < now() - make_interval(secs => $1)
ORDER BY created_at, id
LIMIT $2

-- name: mark_published
-- Remembers that these events went out.
UPDATE events SET published_at = now() WHERE id = ANY ($1::uuid[]) AND published_at IS NULL
