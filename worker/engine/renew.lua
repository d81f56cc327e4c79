-- Extends leases. One that a flush removed is taken again; one that somebody else owns is lost.
-- ARGV: lease in ms, most per tenant, then for each job id, token, meta.  Answers the lost ids.
local lease_end = text(now + ARGV[1])
local per_tenant = tonumber(ARGV[2])
local lost = {}
-- A delete first: a Redis that is out of memory lets a script go on that began with one.
redis.call('DEL', TIMES .. ':none')
for i = 3, #ARGV, 3 do
  local id, token, meta = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local owner = redis.call('HGET', OWNERS, id)
  if not owner or owner == token then
    if redis.call('ZADD', TIMES, lease_end, id) == 1 then
      redis.call('HSET', JOBS, id, meta)
      unready(id, meta)
    end
    if not owner then redis.call('HSET', OWNERS, id, token) end
    hold(id, meta, lease_end, per_tenant)
  else
    lost[#lost + 1] = id
  end
end
return lost
