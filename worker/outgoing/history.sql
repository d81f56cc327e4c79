-- name: page
-- Deliveries of an endpoint ($1), the newest first: of a state, an event, a time, after a cursor.
-- $4 and $5 are when the message was made; $6 and $7 the ids that messages of that time can have.
SELECT d.endpoint_id, d.message_id, m.event, m.project_id, d.state, d.attempts, d.job_id,
       m.created_at, d.delivered_at, d.updated_at
FROM outgoing_deliveries d JOIN outgoing_messages m ON m.id = d.message_id
WHERE d.endpoint_id = $1 AND ($2::text IS NULL OR d.state = $2)
  AND ($3::text IS NULL OR m.event = $3
       OR (right($3, 1) = '*' AND starts_with(m.event, left($3, -1))))
  AND ($4::timestamptz IS NULL OR m.created_at >= $4)
  AND ($5::timestamptz IS NULL OR m.created_at < $5)
  AND ($6::uuid IS NULL OR d.message_id >= $6) AND ($7::uuid IS NULL OR d.message_id < $7)
  AND ($8::uuid IS NULL OR d.message_id < $8)
ORDER BY d.message_id DESC LIMIT $9

-- name: get
-- One delivery with the body that is sent.
SELECT d.endpoint_id, d.message_id, m.event, m.project_id, d.state, d.attempts, d.job_id,
       m.created_at, d.delivered_at, d.updated_at, m.body
FROM outgoing_deliveries d JOIN outgoing_messages m ON m.id = d.message_id
WHERE d.endpoint_id = $1 AND d.message_id = $2

-- name: attempts
-- Every attempt at a delivery, the first one first.
SELECT job_id, attempt, started_at, duration_ms, status, error_class, error, answer
FROM outgoing_attempts WHERE endpoint_id = $1 AND message_id = $2 ORDER BY id

-- name: is_endpoint_of
-- Whether an organisation has this endpoint.
SELECT FROM outgoing_endpoints WHERE org_id = $1 AND id = $2

-- name: forget
-- Deletes up to $2 messages of $1 days ago or more that no job is still to deliver.
DELETE FROM outgoing_messages WHERE id = ANY (ARRAY(
    SELECT m.id FROM outgoing_messages m
    WHERE m.created_at < now() - make_interval(days => $1)
      AND NOT EXISTS (SELECT FROM outgoing_deliveries d JOIN jobs j ON j.id = d.job_id
                      WHERE d.message_id = m.id AND d.state = 'pending'
                        AND j.state IN ('queued', 'running', 'retrying'))
    ORDER BY m.created_at LIMIT $2
))
RETURNING id
