-- Takes waiting ids out of the queue: their jobs have ended without being claimed.
-- ARGV: ids. One that is leased is left to its owner.
local forgotten = 0
for _, id in ipairs(ARGV) do
  local meta = redis.call('HGET', JOBS, id)
  local owned = redis.call('HEXISTS', OWNERS, id) == 1
  if meta and not (owned and redis.call('ZSCORE', TIMES, id)) then
    redis.call('HDEL', JOBS, id)
    redis.call('ZREM', TIMES, id)
    unready(id, meta)
    if owned then
      -- Its lease has lapsed, or was lost with the times: it holds no place any more.
      redis.call('HDEL', OWNERS, id)
      let_go(id, meta, 0)
    end
    forgotten = forgotten + 1
  end
end
return forgotten
