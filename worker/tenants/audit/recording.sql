-- name: add
-- Records events, each once for its organisation, and says which of them are `new`.
-- $12: whether organisations have to be known; an event of an unknown one is then `unknown`.
WITH given AS (
    SELECT g.*, $12::bool AND g.org_id IS NOT NULL
           AND NOT EXISTS (SELECT FROM organisations o WHERE o.id = g.org_id) AS is_unknown
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                $8::text[], $9::timestamptz[], $10::text[], $11::text[])
      AS g(id, org_id, event_id, action, actor_type, actor_id, target_type, target_id, occurred_at,
           context, metadata)
), added AS (
    INSERT INTO audit_events (id, org_id, event_id, action, actor_type, actor_id, target_type,
                              target_id, occurred_at, context, metadata)
    SELECT id, org_id, event_id, action, actor_type, actor_id, target_type, target_id, occurred_at,
           context::jsonb, metadata::jsonb
    FROM given WHERE NOT is_unknown
    -- One order for all, so that two batches with the same events do not wait for each other.
    ORDER BY org_id, event_id
    ON CONFLICT (coalesce(org_id, ''), event_id) DO NOTHING
    RETURNING id
)
SELECT g.id, CASE WHEN g.is_unknown THEN 'unknown' WHEN a.id IS NULL THEN 'duplicate'
                  ELSE 'new' END AS became
FROM given g LEFT JOIN added a USING (id)
