-- Gives leases up, each only if the token still owns it.
-- ARGV: most per key, then for each job id, token, delay in ms until it is due again (-1: never).
local per_key = tonumber(ARGV[1])
local settled, woken = 0, false
for i = 2, #ARGV, 3 do
  local id, delay = ARGV[i], tonumber(ARGV[i + 2])
  if redis.call('HGET', OWNERS, id) == ARGV[i + 1] then
    local meta = redis.call('HGET', JOBS, id) or ''
    redis.call('HDEL', OWNERS, id)
    -- A lease that lapsed a moment ago has made the id ready already.
    if redis.call('ZREM', TIMES, id) == 0 then unready(id, meta) end
    if delay < 0 then
      redis.call('HDEL', JOBS, id)
    elseif delay > 0 then
      redis.call('ZADD', TIMES, text(now + delay), id)
      -- Somebody has to learn when it will be due.
      woken = true
    else
      -- Given back by a worker that stops: it had its turn, and goes before those that wait.
      make_ready(id, meta, 0)
      woken = true
    end
    if let_go(id, meta, per_key) then woken = true end
    settled = settled + 1
  end
end
if woken then wake_one() end
return settled
