-- name: send
-- Records messages with their deliveries; answers the jobs ($7: for one alone, $8: not for one).
SELECT * FROM send_messages($1::text[], $2::text[], $3::text[], $4::uuid[], $5::timestamptz[],
                            $6::text[]::jsonb[], $7::uuid, $8::uuid)
