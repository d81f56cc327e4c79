-- After a claim whose answer never came: frees whatever its token took.
-- KEYS: ready set, owners.  ARGV: token.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local owners = redis.call('HGETALL', KEYS[2])
local released = 0
for i = 1, #owners, 2 do
  if owners[i + 1] == ARGV[1] then
    redis.call('HDEL', KEYS[2], owners[i])
    redis.call('ZADD', KEYS[1], 'XX', string.format('%.0f', now), owners[i])
    released = released + 1
  end
end
return released
