-- After a claim whose answer never came: frees whatever its token took.
-- ARGV: most per key, token.
local owners = redis.call('HGETALL', OWNERS)
local released = 0
for i = 1, #owners, 2 do
  if owners[i + 1] == ARGV[2] then
    local id = owners[i]
    local meta = redis.call('HGET', JOBS, id) or ''
    redis.call('HDEL', OWNERS, id)
    if redis.call('ZREM', TIMES, id) == 1 then make_ready(id, meta, 0) end
    let_go(id, meta, tonumber(ARGV[1]))
    released = released + 1
  end
end
if released > 0 then wake_one() end
return released
