-- name: all
-- What was set by hand for any queue.
SELECT * FROM queue_controls ORDER BY queue

-- name: pause
-- Pauses a queue ($1) for a reason ($2); one that is paused already stays so since when it was.
INSERT INTO queue_controls AS c (queue, paused_at, paused_reason) VALUES ($1, now(), $2)
ON CONFLICT (queue) DO UPDATE SET paused_at = coalesce(c.paused_at, now()),
    paused_reason = excluded.paused_reason, updated_at = now()
RETURNING *

-- name: resume
-- Lets a queue go on.
INSERT INTO queue_controls AS c (queue) VALUES ($1)
ON CONFLICT (queue) DO UPDATE SET paused_at = NULL, paused_reason = NULL, updated_at = now()
RETURNING *

-- name: resize
-- Sets those numbers of a queue ($1) that $2 names; null: as the policy table says.
INSERT INTO queue_controls AS c
    (queue, concurrency, per_key, per_organisation, rate_count, rate_seconds)
VALUES ($1, $3, $4, $5, $6, $7)
ON CONFLICT (queue) DO UPDATE SET updated_at = now(),
    concurrency = CASE WHEN 'concurrency' = ANY ($2::text[]) THEN excluded.concurrency
                       ELSE c.concurrency END,
    per_key = CASE WHEN 'per_key' = ANY ($2::text[]) THEN excluded.per_key ELSE c.per_key END,
    per_organisation = CASE WHEN 'per_organisation' = ANY ($2::text[])
                            THEN excluded.per_organisation ELSE c.per_organisation END,
    rate_count = CASE WHEN 'rate' = ANY ($2::text[]) THEN excluded.rate_count
                      ELSE c.rate_count END,
    rate_seconds = CASE WHEN 'rate' = ANY ($2::text[]) THEN excluded.rate_seconds
                        ELSE c.rate_seconds END
RETURNING *
