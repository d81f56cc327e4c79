-- name: save
-- Notes how far attempts ($1 ids, $2 numbers) have come; answers those that still own their jobs.
UPDATE jobs j SET progress = p.percent, progress_message = p.message
FROM unnest($1::uuid[], $2::int[], $3::int[], $4::text[]) AS p(id, attempt, percent, message)
WHERE j.id = p.id AND j.id = ANY ($1::uuid[]) AND j.attempt = p.attempt AND j.worker IS NOT NULL
RETURNING j.id, j.attempt
