-- name: ago
-- The moment so many days ago.
SELECT now() - make_interval(days => $1) AS moment

-- name: delete_deliveries
-- Deletes up to $2 deliveries of $1 days ago or more that no job needs: none waits, runs or is dead.
DELETE FROM webhook_events WHERE delivery_id = ANY (ARRAY(
    SELECT w.delivery_id FROM webhook_events w
    WHERE w.received_at < now() - make_interval(days => $1)
      AND NOT EXISTS (SELECT FROM jobs j WHERE j.delivery_id = w.delivery_id
                        AND j.state NOT IN ('completed', 'cancelled', 'superseded'))
    ORDER BY w.received_at LIMIT $2
))
RETURNING delivery_id

-- name: delete_ticks
-- Deletes up to $2 ticks of $1 days ago or more; the latest of each schedule stays.
DELETE FROM schedule_ticks WHERE (schedule, tick) IN (
    SELECT t.schedule, t.tick FROM schedule_ticks t
    WHERE t.fired_at < now() - make_interval(days => $1)
      AND EXISTS (SELECT FROM schedule_ticks later
                  WHERE later.schedule = t.schedule AND later.tick > t.tick AND NOT later.by_hand)
    LIMIT $2
)
RETURNING schedule
