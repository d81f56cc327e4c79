-- name: one_at_a_time
-- Lets other replays to this endpoint wait for the end of the transaction: they see its jobs then.
SELECT pg_advisory_xact_lock(hashtextextended('replays to ' || $1::uuid, 0))

-- name: endpoint
-- The state of an endpoint, and the time.
SELECT state, now() AS now FROM outgoing_endpoints WHERE org_id = $1 AND id = $2

-- name: pick
-- Messages to replay to an endpoint ($1), the oldest first: in these states, of a time, after $7.
-- $3 and $4 are when the message was made; $5 and $6 the ids that messages of that time can have.
-- A pending delivery whose job has ended without a word counts as failed.
SELECT d.message_id FROM outgoing_deliveries d JOIN outgoing_messages m ON m.id = d.message_id
WHERE d.endpoint_id = $1
  AND (d.state = ANY ($2::text[])
       OR (d.state = 'pending' AND 'failed' = ANY ($2::text[])
           AND NOT EXISTS (SELECT FROM jobs j WHERE j.id = d.job_id
                             AND j.state IN ('queued', 'running', 'retrying'))))
  AND m.created_at >= $3 AND ($4::timestamptz IS NULL OR m.created_at < $4)
  AND d.message_id >= $5 AND ($6::uuid IS NULL OR d.message_id < $6)
  AND ($7::uuid IS NULL OR d.message_id > $7)
ORDER BY d.message_id LIMIT $8

-- name: begin
-- Deliveries of an endpoint ($1) that were picked ($2) are pending again, by other jobs ($3).
UPDATE outgoing_deliveries d SET state = 'pending', delivered_at = NULL, job_id = n.job_id,
    updated_at = now()
FROM (SELECT * FROM unnest($2::uuid[], $3::uuid[]) AS t(message_id, job_id) ORDER BY 1) n
WHERE d.endpoint_id = $1 AND d.message_id = n.message_id AND d.message_id = ANY ($2::uuid[])
  AND (d.state <> 'pending'
       OR NOT EXISTS (SELECT FROM jobs j WHERE j.id = d.job_id
                        AND j.state IN ('queued', 'running', 'retrying')))
RETURNING d.message_id

-- name: delivery
-- Whether a message was meant for an endpoint at all.
SELECT state, job_id FROM outgoing_deliveries WHERE endpoint_id = $1 AND message_id = $2
