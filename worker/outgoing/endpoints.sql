-- name: one_at_a_time
-- Lets others who add an endpoint to this organisation wait for the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('endpoints of ' || $1, 0))

-- name: add
-- Adds an endpoint unless the organisation has $9 of them already.
INSERT INTO outgoing_endpoints (id, org_id, url, events, description, schedule, secret,
                                secret_key_id)
SELECT $1::uuid, $2::text, $3::text, $4::text[], $5::text, $6::text, $7::bytea, $8::text
WHERE (SELECT count(*) FROM outgoing_endpoints WHERE org_id = $2) < $9
RETURNING id

-- name: pick
-- Endpoints of an organisation ($1) with their newest deliveries: one ($2), or those after $3.
SELECT e.id, e.org_id, e.url, e.description, e.events, e.schedule, e.state, e.disabled_reason,
       e.disabled_at, e.failures, e.failing_since, e.probe_at, e.created_at, e.updated_at,
       CASE WHEN e.open_until IS NULL THEN 'closed' WHEN e.open_until > now() THEN 'open'
            ELSE 'probing' END AS breaker,
       CASE WHEN e.open_until > now() THEN e.open_until END AS open_until,
       CASE WHEN e.slow_until > now() THEN e.slow_until END AS slow_until,
       CASE WHEN e.previous_until > now() THEN e.previous_until END AS previous_until,
       l.last_delivery
FROM outgoing_endpoints e
LEFT JOIN LATERAL (
    SELECT jsonb_build_object('message_id', d.message_id, 'event', m.event, 'state', d.state,
                              'attempts', d.attempts, 'updated_at', d.updated_at) AS last_delivery
    FROM outgoing_deliveries d JOIN outgoing_messages m ON m.id = d.message_id
    WHERE d.endpoint_id = e.id ORDER BY d.message_id DESC LIMIT 1
) l ON true
WHERE e.org_id = $1 AND ($2::uuid IS NULL OR e.id = $2) AND ($3::uuid IS NULL OR e.id > $3)
ORDER BY e.id LIMIT $4

-- name: change
-- Changes what is not null of an endpoint.
UPDATE outgoing_endpoints SET url = coalesce($3, url), events = coalesce($4, events),
    description = coalesce($5, description), schedule = coalesce($6, schedule), updated_at = now()
WHERE org_id = $1 AND id = $2
RETURNING id

-- name: rotate
-- Gives an endpoint another secret; the one before signs as well for $5 hours.
UPDATE outgoing_endpoints SET previous_secret = secret, previous_key_id = secret_key_id,
    previous_until = now() + make_interval(hours => $5), secret = $3, secret_key_id = $4,
    updated_at = now()
WHERE org_id = $1 AND id = $2
RETURNING id

-- name: delete
-- Deletes an endpoint with its deliveries.
DELETE FROM outgoing_endpoints WHERE org_id = $1 AND id = $2 RETURNING id

-- name: hold
-- The state of an endpoint, which stays so until the end of the transaction.
SELECT state FROM outgoing_endpoints WHERE org_id = $1 AND id = $2 FOR NO KEY UPDATE
