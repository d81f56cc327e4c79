-- name: page
-- Jobs, newest first, filtered by what is not null, older than a given one ($9).
SELECT * FROM jobs
WHERE ($1::text IS NULL OR queue = $1) AND ($2::text IS NULL OR state = $2)
  AND ($3::uuid IS NULL OR project_id = $3) AND ($4::text IS NULL OR delivery_id = $4)
  AND ($5::text IS NULL OR kind = $5) AND ($6::text IS NULL OR org_id = $6)
  AND ($7::timestamptz IS NULL OR created_at > $7)
  AND ($8::timestamptz IS NULL OR created_at < $8)
  AND ($9::uuid IS NULL OR id < $9)
ORDER BY id DESC LIMIT $10

-- name: get
-- One job.
SELECT * FROM jobs WHERE id = $1

-- name: attempts
-- What went wrong with a job so far, first attempt first.
SELECT attempt, worker, started_at, finished_at, outcome, error_type, message, traceback
FROM job_attempts WHERE job_id = $1 ORDER BY attempt
