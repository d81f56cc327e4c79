-- Leases ids that are due, tenant by tenant in turn, within the queue's limits.
-- ARGV: how many at most, lease in ms, token, most per key, most per tenant, most starts in a
-- period, the period in ms (0: no limit).
-- Answers the ms until there may be more to claim (-1: no id is left), the ids, and their metas.
local MOST_LOOKED_AT = 2000
local wanted, token = tonumber(ARGV[1]), ARGV[3]
local lease_end = text(now + ARGV[2])
local per_key, per_tenant = tonumber(ARGV[4]), tonumber(ARGV[5])
local rate, period = tonumber(ARGV[6]), tonumber(ARGV[7])
local STARTS = TIMES .. ':starts'
local ids, metas, times, owners = {}, {}, {}, {}

-- Whatever has fallen due: delays that are over, and leases that lapsed.
local function promote()
  -- A delete first: a Redis that is out of memory lets a script go on that began with one.
  redis.call('DEL', TIMES .. ':none')
  local due = redis.call('ZRANGEBYSCORE', TIMES, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1000)
  if #due == 0 then return end
  local due_ids = {}
  for i = 1, #due, 2 do due_ids[#due_ids + 1] = due[i] end
  redis.call('ZREM', TIMES, unpack(due_ids))
  local found = redis.call('HMGET', JOBS, unpack(due_ids))
  local leased = redis.call('HMGET', OWNERS, unpack(due_ids))
  for i, id in ipairs(due_ids) do
    -- An id without a meta was put there by a stranger; who claims it will see.
    if not found[i] then redis.call('HSET', JOBS, id, '') end
    -- Whose lease lapsed had its turn already, and does not wait for it again.
    make_ready(id, found[i] or '', leased[i] and 0 or tonumber(due[2 * i]))
  end
end

local function starts_left()
  while true do
    local oldest = redis.call('LINDEX', STARTS, -1)
    if not oldest or tonumber(oldest) > now - period then break end
    redis.call('RPOP', STARTS)
  end
  return rate - redis.call('LLEN', STARTS)
end

local function unblock_all()
  for _, tenant in ipairs(redis.call('SMEMBERS', BLOCKED)) do
    if redis.call('EXISTS', ready_of(tenant)) == 1 then activate(tenant, 0) end
  end
  redis.call('DEL', BLOCKED)
end

local function lease(id, meta)
  local n = #ids + 1
  ids[n], metas[n] = id, meta
  times[2 * n - 1], times[2 * n] = lease_end, id
  owners[2 * n - 1], owners[2 * n] = id, token
  hold(id, meta, lease_end, per_tenant)
end

-- Leases what was popped, or parks it where its key has no place left; answers how many it leased.
local function lease_or_park(popped)
  local candidates, leased = {}, 0
  for i = 1, #popped, 2 do candidates[#candidates + 1] = popped[i] end
  local found = redis.call('HMGET', JOBS, unpack(candidates))
  for i, id in ipairs(candidates) do
    local meta = found[i] or ''
    local _, key = parse(meta)
    if per_key > 0 and key ~= '' and held(held_of_key(key)) >= per_key then
      redis.call('ZADD', parked_of(key), popped[2 * i], id)
    else
      lease(id, meta)
      leased = leased + 1
    end
  end
  return leased
end

-- The tenant has nothing ready any more; what it was served stays known for a while.
local function retire(tenant, pass, alone)
  redis.call('ZREM', TENANTS, tenant)
  if alone then return end
  redis.call('ZREMRANGEBYSCORE', PASSES, '-inf', '(' .. text(pass - 1000))
  redis.call('ZADD', PASSES, text(pass), tenant)
  redis.call('PEXPIRE', PASSES, PASSES_KEPT_MS)
end

-- How many the tenant may take in a row: until it has had more than the next in line.
local function turn(tenants)
  local most = wanted - #ids
  if tenants[3] then
    most = math.min(most, math.max(1, math.floor(tenants[4] - tenants[2]) + 1))
  end
  if per_tenant > 0 and tenants[1] ~= '' then
    most = math.min(most, per_tenant - held(held_of_tenant(tenants[1])))
  end
  return most
end

-- One tenant's turn; answers how many ids were looked at.
local function serve(tenants)
  local tenant, pass, alone = tenants[1], tonumber(tenants[2]), not tenants[3]
  local most = turn(tenants)
  if most < 1 then
    redis.call('ZREM', TENANTS, tenant)
    redis.call('SADD', BLOCKED, tenant)
    return 1
  end
  local popped = redis.call('ZPOPMIN', ready_of(tenant), most)
  local leased = #popped > 0 and lease_or_park(popped) or 0
  -- Who is served alone takes nothing from anybody: nothing is counted then.
  if not alone then pass = pass + leased end
  if #popped < 2 * most or redis.call('EXISTS', ready_of(tenant)) == 0 then
    retire(tenant, pass, alone)
  elseif not alone and leased > 0 then
    redis.call('ZADD', TENANTS, text(pass), tenant)
  end
  return math.max(1, #popped / 2)
end

local function until_first_time()
  local first = redis.call('ZRANGE', TIMES, 0, 0, 'WITHSCORES')[2]
  return first and math.max(0, first - now) or -1
end

-- The ms until another claim may find something.
local function outlook(rate_is_up)
  if redis.call('EXISTS', TENANTS) == 0 then return until_first_time() end
  if not rate_is_up then return 0 end
  return math.max(1, redis.call('LINDEX', STARTS, -1) + period - now)
end

local quiet = until_first_time()
if quiet == 0 then
  promote()
elseif redis.call('EXISTS', TENANTS, BLOCKED) == 0 then
  -- An idle worker looks again and again: that shall cost Redis next to nothing.
  return {text(quiet), ids, metas}
end
if per_tenant == 0 and redis.call('EXISTS', BLOCKED) == 1 then unblock_all() end
if rate > 0 then wanted = math.min(wanted, starts_left()) end
local looked_at = 0
while #ids < wanted and looked_at < MOST_LOOKED_AT do
  local tenants = redis.call('ZRANGE', TENANTS, 0, 1, 'WITHSCORES')
  if #tenants == 0 then break end
  looked_at = looked_at + serve(tenants)
end
if #ids > 0 then
  redis.call('ZADD', TIMES, unpack(times))
  redis.call('HSET', OWNERS, unpack(owners))
end
if rate > 0 and #ids > 0 then
  local starts = {}
  for i = 1, #ids do starts[i] = text(now) end
  redis.call('LPUSH', STARTS, unpack(starts))
  redis.call('PEXPIRE', STARTS, period)
end
local wait = outlook(rate > 0 and starts_left() < 1)
-- What is ready and was not taken is for another worker: pass the wake-up on. Otherwise it is used up.
if wait == 0 then wake_one() else redis.call('DEL', WAKE) end
return {text(wait), ids, metas}
