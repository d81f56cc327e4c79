-- name: disable
-- Disables an endpoint ($2: why); one that fails is probed after $3 hours.
UPDATE outgoing_endpoints SET state = 'disabled', disabled_reason = $2, disabled_at = now(),
    probe_at = CASE WHEN $2 = 'failing' THEN now() + make_interval(hours => $3) END,
    open_until = NULL, probing_until = NULL, slow_until = NULL, updated_at = now()
WHERE id = $1 AND state = 'enabled'
RETURNING org_id, url, disabled_reason AS reason, failures, disabled_at AS at, probe_at

-- name: keep_disabled
-- An endpoint that is disabled already is so by hand from now on: nobody probes it any more.
UPDATE outgoing_endpoints SET disabled_reason = 'asked', probe_at = NULL, updated_at = now()
WHERE id = $1 AND state = 'disabled' AND disabled_reason <> 'asked'

-- name: enable
-- Enables an endpoint and forgets its failures; answers for what reason it was disabled.
WITH before AS (
    SELECT id, disabled_reason FROM outgoing_endpoints WHERE id = $1 FOR NO KEY UPDATE
)
UPDATE outgoing_endpoints e SET state = 'enabled', disabled_reason = NULL, disabled_at = NULL,
    probe_at = NULL, failures = 0, failing_since = NULL, open_until = NULL, probing_until = NULL,
    slow_until = NULL, updated_at = now()
FROM before b WHERE e.id = b.id
RETURNING e.org_id, e.url, b.disabled_reason AS reason, now() AS at
