-- Takes waiting ids out of the queue: their jobs have ended without being claimed.
-- ARGV: ids. One that is leased is left to its owner.
local forgotten = 0
for _, id in ipairs(ARGV) do
  local meta = redis.call('HGET', JOBS, id)
  if meta and redis.call('HEXISTS', OWNERS, id) == 0 then
    redis.call('HDEL', JOBS, id)
    redis.call('ZREM', TIMES, id)
    unready(id, meta)
    forgotten = forgotten + 1
  end
end
return forgotten
