-- name: page
-- Schedules by name, after a given one, with their last tick.
SELECT s.*, t.tick AS last_tick FROM schedules s
LEFT JOIN LATERAL (SELECT tick FROM schedule_ticks WHERE schedule = s.name AND NOT by_hand
                   ORDER BY tick DESC LIMIT 1) t ON true
WHERE $1::text IS NULL OR s.name > $1 ORDER BY s.name LIMIT $2

-- name: get
-- One schedule, with its last tick.
SELECT s.*, (SELECT max(tick) FROM schedule_ticks
             WHERE schedule = s.name AND NOT by_hand) AS last_tick
FROM schedules s WHERE s.name = $1

-- name: ticks
-- The latest ticks of a schedule, and what became of their jobs.
SELECT t.tick, t.by_hand, t.fired_at, t.job_id, j.state FROM schedule_ticks t
LEFT JOIN jobs j ON j.id = t.job_id
WHERE t.schedule = $1 ORDER BY t.tick DESC LIMIT $2

-- name: create
-- Adds a schedule that somebody made; no row comes back when the name is taken.
INSERT INTO schedules (name, description, queue, kind, payload, cron, timezone, missed, enabled,
                       next_tick)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT DO NOTHING
RETURNING name

-- name: lock
-- One schedule, held until the end of the transaction, and the time.
SELECT *, now() AS now FROM schedules WHERE name = $1 FOR UPDATE

-- name: change
-- Gives a schedule these settings.
UPDATE schedules SET description = $2, payload = $3, cron = $4, timezone = $5, missed = $6,
    enabled = $7, next_tick = $8, updated_at = now()
WHERE name = $1

-- name: delete
-- Deletes a schedule and its ticks; their jobs stay.
DELETE FROM schedules WHERE name = $1

-- name: now
-- The time of the record.
SELECT now()
