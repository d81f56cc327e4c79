-- name: mark_processed
-- Marks deliveries of whose jobs none is left to be done, and none dead.
UPDATE webhook_events w SET processed = true, processed_at = now(),
    error_message = (SELECT s.error FROM jobs s
                     WHERE s.delivery_id = w.delivery_id AND s.error IS NOT NULL
                     ORDER BY s.id LIMIT 1)
WHERE w.delivery_id = ANY ($1::text[]) AND NOT w.processed
  AND NOT EXISTS (SELECT FROM jobs s WHERE s.delivery_id = w.delivery_id
                    AND s.state NOT IN ('completed', 'cancelled', 'superseded'))
