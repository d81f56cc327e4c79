-- name: page
-- Actions of an organisation ($1), newest first, filtered by what is not null, older than $4.
SELECT * FROM automatic_actions
WHERE org_id = $1 AND ($2::text IS NULL OR action = $2)
  AND ($3::boolean IS NULL OR $3 = (reverted_at IS NULL AND (changed OR waits)
                                    AND action <> 'send_notification'))
  AND ($4::uuid IS NULL OR id < $4)
ORDER BY id DESC LIMIT $5
