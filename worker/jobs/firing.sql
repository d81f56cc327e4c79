-- name: declare
-- Adds built-in schedules and brings them up to date, unless a newer edition was here already.
-- Whether it is enabled is left as operators set it, and otherwise follows the edition.
INSERT INTO schedules AS s (name, description, queue, kind, cron, missed, payload,
                            enabled_by_default, enabled, next_tick, edition)
SELECT d.name, d.description, d.queue, d.kind, d.cron, d.missed, d.payload::jsonb, d.enabled,
       d.enabled, d.next_tick, $1
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::bool[], $10::timestamptz[])
  AS d(name, description, queue, kind, cron, missed, payload, enabled, next_tick)
WHERE NOT EXISTS (SELECT FROM schedules newer WHERE newer.edition > $1)
ON CONFLICT (name) DO UPDATE SET description = excluded.description, queue = excluded.queue,
    kind = excluded.kind, cron = excluded.cron, missed = excluded.missed,
    payload = excluded.payload, enabled_by_default = excluded.enabled_by_default,
    edition = excluded.edition, updated_at = now(),
    enabled = CASE WHEN s.enabled = s.enabled_by_default THEN excluded.enabled ELSE s.enabled END,
    next_tick = CASE WHEN s.enabled AND s.cron = excluded.cron THEN s.next_tick
                     ELSE excluded.next_tick END
WHERE s.edition <= excluded.edition
  AND (s.description, s.queue, s.kind, s.cron, s.missed, s.payload, s.enabled_by_default, s.edition)
      IS DISTINCT FROM (excluded.description, excluded.queue, excluded.kind, excluded.cron,
                        excluded.missed, excluded.payload, excluded.enabled_by_default,
                        excluded.edition)

-- name: retire
-- Deletes built-in schedules that are built in no longer.
DELETE FROM schedules WHERE edition <= $1 AND name <> ALL ($2::text[])

-- name: now
-- The time of the record, by which ticks fall due.
SELECT now()

-- name: seconds_until_due
-- How long until a schedule for these queues ($1) and kinds ($2) falls due; infinity for never.
SELECT coalesce(extract(epoch FROM min(next_tick) - now()), 'infinity')::float8 AS seconds
FROM schedules
WHERE enabled AND queue = ANY ($1::text[]) AND kind = ANY ($2::text[])

-- name: let_go
-- Has Postgres end this transaction, and its lock, should its process stand still in the midst.
SELECT set_config('idle_in_transaction_session_timeout', $1, true)

-- name: lock_due
-- The schedule for these queues ($1) and kinds ($2) that has been due for longest ($3: by when).
SELECT *, coalesce($3::timestamptz, now()) AS now FROM schedules
WHERE enabled AND queue = ANY ($1::text[]) AND kind = ANY ($2::text[])
  AND next_tick <= coalesce($3::timestamptz, now())
ORDER BY next_tick LIMIT 1
FOR UPDATE SKIP LOCKED

-- name: advance
-- Sets the next tick of a schedule whose due ones were fired.
UPDATE schedules SET next_tick = $2 WHERE name = $1

-- name: disable
-- Takes a schedule out of service that cannot be fired.
UPDATE schedules SET enabled = false, updated_at = now() WHERE name = $1
