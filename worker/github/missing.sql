-- name: arrived
-- Those of some deliveries ($1) that are recorded.
SELECT delivery_id FROM webhook_events WHERE delivery_id = ANY ($1::text[])
