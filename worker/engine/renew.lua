-- Extends leases. One that a flush removed is taken again; one that somebody else owns is lost.
-- KEYS: ready set, owners.  ARGV: lease in ms, then for each job id, token.  Answers the lost ids.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local lease_end = string.format('%.0f', now + ARGV[1])
local lost = {}
for i = 2, #ARGV, 2 do
  local owner = redis.call('HGET', KEYS[2], ARGV[i])
  if not owner or owner == ARGV[i + 1] then
    redis.call('ZADD', KEYS[1], lease_end, ARGV[i])
    if not owner then redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost
