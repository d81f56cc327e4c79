-- name: publishable
-- Events whose publishing a crash or an outage may have cut short, oldest first.
SELECT id, project_id, event, payload, created_at FROM events
WHERE published_at IS NULL AND created_at < now() - make_interval(secs => $1)
ORDER BY created_at, id
LIMIT $2

-- name: mark_published
-- Remembers that these events went out, and tells endpoints that want them; answers jobs to ring.
WITH published AS (
    UPDATE events SET published_at = now() WHERE id = ANY ($1::uuid[]) AND published_at IS NULL
    RETURNING id, project_id, event, payload, created_at
), told AS (
    SELECT array_agg(p.org_id) AS orgs, array_agg('project.' || e.event) AS names,
           array_agg('event:' || e.id) AS keys, array_agg(e.project_id) AS projects,
           array_agg(e.created_at) AS times,
           array_agg(e.payload || jsonb_build_object('eventId', e.id, 'projectId', e.project_id))
               AS datas
    FROM published e JOIN projects p ON p.id = e.project_id
    -- Where nobody has an endpoint the rest is not even looked at.
    WHERE EXISTS (SELECT FROM outgoing_endpoints)
      AND p.org_id IN (SELECT o.org_id FROM outgoing_endpoints o)
    HAVING count(*) > 0
)
SELECT s.* FROM told t
CROSS JOIN LATERAL send_messages(t.orgs, t.names, t.keys, t.projects, t.times, t.datas) s
