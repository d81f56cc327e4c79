-- name: page
-- Counters of an organisation ($1), open and archived together, after a given one ($2 to $4).
-- Filtered by what is not null of metric, period, and from and to for where the period begins.
-- Here and below, what is past every integer of JSON's readers is shown as the largest.
SELECT metric, period, period_start, max(period_end) AS period_end,
       least(sum(quantity), 9223372036854775807)::bigint AS quantity, sum(events)::bigint AS events, bool_or(closed) AS closed
FROM (
    (SELECT metric, period, period_start, period_end, quantity, events, false AS closed
     FROM usage_counters
     WHERE org_id = $1
       AND ($2::text IS NULL OR (metric, period, period_start) > ($2, $3, $4::timestamptz))
       AND ($5::text IS NULL OR metric = $5) AND ($6::text IS NULL OR period = $6)
       AND ($7::timestamptz IS NULL OR period_start >= $7)
       AND ($8::timestamptz IS NULL OR period_start < $8)
     ORDER BY metric, period, period_start LIMIT $9)
    UNION ALL
    (SELECT metric, period, period_start, period_end, quantity, events, true
     FROM usage_history
     WHERE org_id = $1
       AND ($2::text IS NULL OR (metric, period, period_start) > ($2, $3, $4::timestamptz))
       AND ($5::text IS NULL OR metric = $5) AND ($6::text IS NULL OR period = $6)
       AND ($7::timestamptz IS NULL OR period_start >= $7)
       AND ($8::timestamptz IS NULL OR period_start < $8)
     ORDER BY metric, period, period_start LIMIT $9)
) both_parts
GROUP BY metric, period, period_start
ORDER BY metric, period, period_start LIMIT $9

-- name: current
-- What an organisation ($1) used in these periods ($2 kinds, $3 starts, $4 ends), with its limits.
-- By metric and kind, after given ones ($5, $6). A period is not archived before it has ended.
SELECT metric, period, o.period_start, o.period_end, coalesce(c.quantity, 0) AS quantity,
       coalesce(c.events, 0) AS events, l.quantity AS "limit",
       floor(100 * coalesce(c.quantity, 0)::numeric / l.quantity)::bigint AS percent
FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[]) AS o(period, period_start, period_end)
JOIN (SELECT metric, period FROM usage_counters WHERE org_id = $1
      UNION SELECT metric, period FROM usage_limits WHERE org_id = $1) known USING (period)
LEFT JOIN (SELECT * FROM usage_counters WHERE org_id = $1) c USING (metric, period, period_start)
LEFT JOIN (SELECT * FROM usage_limits WHERE org_id = $1) l USING (metric, period)
WHERE (c.quantity IS NOT NULL OR l.quantity IS NOT NULL)
  AND ($5::text IS NULL OR (metric, period) > ($5, $6))
ORDER BY metric, period LIMIT $7

-- name: thresholds
-- Thresholds that an organisation ($1) reached, newest first, after a given one ($2 to $6).
SELECT metric, period, period_start, percent, quantity,
       quantity_limit AS "limit", reached_at
FROM usage_thresholds
WHERE org_id = $1
  AND ($2::timestamptz IS NULL
       OR (reached_at, metric, period, period_start, percent) < ($2, $3, $4, $5::timestamptz, $6))
  AND ($7::text IS NULL OR metric = $7)
ORDER BY reached_at DESC, metric DESC, period DESC, period_start DESC, percent DESC LIMIT $8

-- name: summaries
-- Sums over all organisations by hours or days ($1), newest first, after a given one ($2, $3).
SELECT period, period_start, metric, organisations, events, summed_at,
       least(quantity, 9223372036854775807)::bigint AS quantity
FROM usage_summaries
WHERE period = $1 AND ($2::timestamptz IS NULL OR (period_start, metric) < ($2, $3))
  AND ($4::text IS NULL OR metric = $4)
  AND ($5::timestamptz IS NULL OR period_start >= $5)
  AND ($6::timestamptz IS NULL OR period_start < $6)
ORDER BY period_start DESC, metric DESC LIMIT $7
