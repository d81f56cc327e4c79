-- Where ids stand in a queue; of the first one also what is before it. Changes nothing.
-- ARGV: most starts in a period, the period in ms (0: no limit), how many holders to name
-- (-1: nothing but the places), ids.
-- Answers now, for each id its place and that place's time, and the details as listed at the end.
local rate, period, named = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

-- Whether somebody will come to the tenant's ready set: at its turn, or when it has a place again.
local function in_turn(tenant)
  if redis.call('ZSCORE', TENANTS, tenant) then return true end
  return redis.call('SISMEMBER', BLOCKED, tenant) == 1
    and redis.call('EXISTS', held_of_tenant(tenant)) == 1
end

local function place(id, meta)
  local at = redis.call('ZSCORE', TIMES, id)
  if at then return redis.call('HEXISTS', OWNERS, id) == 1 and 'leased' or 'timed', at end
  if not meta then return 'unknown' end
  local _, key, tenant = parse(meta)
  if redis.call('ZSCORE', ready_of(tenant), id) then
    return in_turn(tenant) and 'ready' or 'stranded'
  end
  return key ~= '' and redis.call('ZSCORE', parked_of(key), id) and 'parked' or 'nowhere'
end

-- How long until another start is allowed.
local function start_after()
  if rate == 0 then return 0 end
  local oldest = redis.call('LINDEX', TIMES .. ':starts', rate - 1)
  return oldest and math.max(0, oldest + period - now) or 0
end

local function holders(set)
  return redis.call('ZRANGEBYSCORE', set, '(' .. text(now), '+inf', 'LIMIT', 0, named)
end

local ids = {unpack(ARGV, 4)}
local metas = redis.call('HMGET', JOBS, unpack(ids))
local places = {}
for i, id in ipairs(ids) do
  local where, at = place(id, metas[i])
  places[2 * i - 1], places[2 * i] = where, at or ''
end
if named < 0 then return {text(now), places} end

local id = ids[1]
local _, key, tenant = parse(metas[1])
local key_set, tenant_set = held_of_key(key), held_of_tenant(tenant)
local line = places[1] == 'parked' and parked_of(key) or ready_of(tenant)
return {
  text(now), places,
  redis.call('HGET', OWNERS, id) or '',
  redis.call('ZRANK', line, id) or -1,
  redis.call('ZRANK', TENANTS, tenant) or -1, redis.call('ZCARD', TENANTS),
  start_after(),
  key, held(key_set), holders(key_set),
  tenant, held(tenant_set), holders(tenant_set),
}
