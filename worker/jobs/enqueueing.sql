-- name: with_dedupe_key
-- The one job that has a dedupe key.
SELECT id, queue, payload FROM jobs WHERE dedupe_key = $1

-- name: time_after
-- The time in so many seconds, by the clock that decides when a job is due.
SELECT now() + make_interval(secs => $1)
