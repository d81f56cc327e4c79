-- name: put
-- Sets a limit ($4 for $1, $2, $3), and lets nobody else change it until the transaction ends.
INSERT INTO usage_limits (org_id, metric, period, quantity) VALUES ($1, $2, $3, $4)
ON CONFLICT (org_id, metric, period) DO UPDATE SET quantity = excluded.quantity, updated_at = now()
RETURNING updated_at

-- name: drop_rules
-- Deletes the rules of a limit, and answers what they were.
DELETE FROM limit_rules WHERE org_id = $1 AND metric = $2 AND period = $3
RETURNING percent, action, target_id

-- name: add_rules
-- Gives a limit rules ($4 to $7), in this order.
INSERT INTO limit_rules (org_id, metric, period, position, percent, action, target_id, restore)
SELECT $1, $2, $3, r.position - 1, r.percent, r.action, r.target_id, r.restore
FROM unnest($4::int[], $5::text[], $6::text[], $7::text[])
    WITH ORDINALITY AS r(percent, action, target_id, restore, position)

-- name: overdue
-- Rules whose threshold was reached in the period from $4 to $5, and is so by its total ($6).
SELECT l.org_id, l.metric, l.period, t.period_start, $5::timestamptz AS period_end, r.percent,
       $6::bigint AS quantity, l.quantity AS quantity_limit, false AS late,
       r.action, r.target_id, r.restore
FROM usage_limits l
JOIN limit_rules r USING (org_id, metric, period)
JOIN LATERAL (
    SELECT period_start, max(quantity_limit) AS quantity_limit FROM usage_thresholds
    WHERE org_id = l.org_id AND metric = l.metric AND period = l.period AND percent = r.percent
      AND period_start = $4
    GROUP BY period_start
) t ON t.quantity_limit >= l.quantity
WHERE l.org_id = $1 AND l.metric = $2 AND l.period = $3 AND t.period_start = $4
  AND $6 >= (r.percent * l.quantity + 99) / 100
ORDER BY r.percent, r.position

-- name: targets
-- Which of these flags ($2) and API keys ($3) an organisation has; a revoked key is none.
SELECT 'disable_feature' AS action, key AS target_id FROM feature_flags
WHERE org_id = $1 AND key = ANY ($2::text[])
UNION ALL
SELECT 'block_api_key', id::text FROM api_keys
WHERE org_id = $1 AND id = ANY ($3::uuid[]) AND revoked_at IS NULL

-- name: limits
-- Limits of an organisation with their rules: those beyond $2 and $3, or the one at $5 and $6.
SELECT l.metric, l.period, l.quantity, l.updated_at, (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'percent', r.percent, 'action', r.action, 'targetId', r.target_id, 'restore', r.restore
    ) ORDER BY r.position), '[]')
    FROM limit_rules r
    WHERE r.org_id = l.org_id AND r.metric = l.metric AND r.period = l.period
) AS rules
FROM usage_limits l
WHERE l.org_id = $1 AND ($2::text IS NULL OR (l.metric, l.period) > ($2, $3::text))
  AND ($5::text IS NULL OR (l.metric, l.period) = ($5, $6::text))
ORDER BY l.metric, l.period LIMIT $4

-- name: delete
-- Deletes a limit with its rules.
DELETE FROM usage_limits WHERE org_id = $1 AND metric = $2 AND period = $3
