-- name: page
-- Events of an organisation, or of none ($1), since $2 and before ($3, $4), that fit the filters.
SELECT * FROM (
    SELECT * FROM audit_events
    WHERE coalesce(org_id, '') = coalesce($1::text, '')
      AND occurred_at >= coalesce($2::timestamptz, '-infinity')
      -- No second bound on this side: the scan would begin there, and pass by all pages before.
      AND (occurred_at, id) < (coalesce($3::timestamptz, 'infinity'), $4::uuid)
    -- The offset keeps the filters out: for all that they might be, the planner would rather sort.
    ORDER BY occurred_at DESC, id DESC OFFSET 0
) newest_first
WHERE ($5::text IS NULL OR actor_type = $5) AND ($6::text IS NULL OR actor_id = $6)
  AND ($7::text IS NULL OR action = $7) AND ($8::text IS NULL OR starts_with(action, $8))
  AND ($9::text IS NULL OR target_type = $9) AND ($10::text IS NULL OR target_id = $10)
LIMIT $11

-- name: export
-- The same the other way round, the oldest first: until $2 and after ($3, $4).
SELECT * FROM (
    SELECT * FROM audit_events
    WHERE coalesce(org_id, '') = coalesce($1::text, '')
      AND occurred_at < coalesce($2::timestamptz, 'infinity')
      AND (occurred_at, id) > (coalesce($3::timestamptz, '-infinity'), $4::uuid)
    ORDER BY occurred_at, id OFFSET 0
) oldest_first
WHERE ($5::text IS NULL OR actor_type = $5) AND ($6::text IS NULL OR actor_id = $6)
  AND ($7::text IS NULL OR action = $7) AND ($8::text IS NULL OR starts_with(action, $8))
  AND ($9::text IS NULL OR target_type = $9) AND ($10::text IS NULL OR target_id = $10)
LIMIT $11
