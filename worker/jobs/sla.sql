-- name: flag
-- Marks attempts ($1 ids, $2 numbers) that ran past their SLA, each job once, with events ($3 to $6).
WITH flagged AS (
    UPDATE jobs j SET sla_breached_at = now()
    FROM unnest($1::uuid[], $2::int[]) AS w(id, attempt)
    WHERE j.id = w.id AND j.id = ANY ($1::uuid[]) AND j.attempt = w.attempt
      AND j.worker IS NOT NULL AND j.sla_breached_at IS NULL
    RETURNING j.id
), told AS (
    INSERT INTO events (id, project_id, job_id, event, payload)
    SELECT t.id, t.project_id, t.job_id, 'job_sla_breached', t.payload::jsonb
    FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::text[])
      AS t(id, project_id, job_id, payload) JOIN flagged f ON f.id = t.job_id
)
SELECT id FROM flagged
