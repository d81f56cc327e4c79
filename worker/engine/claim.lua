-- Takes the ids that are due, and leases them: the score becomes the end of the lease.
-- KEYS: ready set, owners, wake list.  ARGV: how many at most, lease in ms, token.
-- Answers now in ms, the lowest score that is left or an empty string, then the ids.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
if #ids > 0 then
  local lease_end = string.format('%.0f', now + ARGV[2])
  local scores, owners = {}, {}
  for i, id in ipairs(ids) do
    scores[2 * i - 1], scores[2 * i] = lease_end, id
    owners[2 * i - 1], owners[2 * i] = id, ARGV[3]
  end
  redis.call('ZADD', KEYS[1], unpack(scores))
  redis.call('HSET', KEYS[2], unpack(owners))
end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local left = first[2] or ''
-- What is due and was not taken is for another worker: pass the wake-up on. Otherwise it is used up.
if left ~= '' and tonumber(left) <= now then
  if redis.call('LLEN', KEYS[3]) == 0 then redis.call('LPUSH', KEYS[3], '1') end
else
  redis.call('DEL', KEYS[3])
end
return {tostring(now), left, unpack(ids)}
