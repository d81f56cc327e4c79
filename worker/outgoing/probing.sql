-- name: due
-- A failing endpoint whose probe is due, with what signs its messages. A job may start early.
SELECT org_id, url, secret, CASE WHEN previous_until > now() THEN previous_secret END AS previous,
       now() AS now
FROM outgoing_endpoints
WHERE id = $1 AND disabled_reason = 'failing' AND probe_at <= now() + interval '1 second'

-- name: hold
-- The same endpoint, which nobody changes until the end of the transaction.
SELECT org_id, now() AS at FROM outgoing_endpoints
WHERE id = $1 AND disabled_reason = 'failing' AND probe_at <= now() + interval '1 second'
FOR NO KEY UPDATE

-- name: put_off
-- Sets its next probe, later each time: after at most $3 hours, and none once $2 days have passed.
UPDATE outgoing_endpoints SET updated_at = now(),
    probe_at = CASE WHEN disabled_at > now() - make_interval(days => $2)
                    THEN now() + least(make_interval(hours => $3),
                                       now() - disabled_at + make_interval(hours => $4)) END
WHERE id = $1 AND disabled_reason = 'failing' AND probe_at <= now() + interval '1 second'
RETURNING probe_at
