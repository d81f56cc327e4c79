-- Gives leases up, each only if the token still owns it.
-- KEYS: ready set, owners, wake list.  ARGV: for each job id, token, delay in ms until it is due
-- again (-1: never).
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local settled, due_now = 0, false
for i = 1, #ARGV, 3 do
  if redis.call('HGET', KEYS[2], ARGV[i]) == ARGV[i + 1] then
    redis.call('HDEL', KEYS[2], ARGV[i])
    local delay = tonumber(ARGV[i + 2])
    if delay < 0 then
      redis.call('ZREM', KEYS[1], ARGV[i])
    else
      redis.call('ZADD', KEYS[1], string.format('%.0f', now + delay), ARGV[i])
      due_now = due_now or delay == 0
    end
    settled = settled + 1
  end
end
if due_now and redis.call('LLEN', KEYS[3]) == 0 then redis.call('LPUSH', KEYS[3], '1') end
return settled
