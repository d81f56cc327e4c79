-- name: record
-- Notes ticks and their jobs; answers the ticks that nobody had fired before.
INSERT INTO schedule_ticks (schedule, tick, job_id, by_hand)
SELECT $1, t.tick, t.job_id, $4 FROM unnest($2::timestamptz[], $3::uuid[]) AS t(tick, job_id)
ON CONFLICT DO NOTHING
RETURNING tick

-- name: owner
-- The organisation of a project.
SELECT org_id FROM projects WHERE id = $1
