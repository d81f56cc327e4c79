-- How a queue lies in Redis; every script about a queue begins with these functions.
-- KEYS[1] is its set of times: ids by due time or by lease end. Beside it, under names that begin
-- with it: `:jobs` id → meta, `:owners` id → lease token, `:wake` one wake-up, and
--   `:tenants`       tenants that have something ready, by their pass: who has had less goes first
--   `:passes`        the passes of tenants that have nothing ready now, for a minute
--   `:ready:TENANT`  its ids by due time less a head start for priority
--   `:held:key:KEY`, `:held:tenant:TENANT`  running ids that count for a limit, by lease end
--   `:parked:KEY`    ids that wait for a key with no place left, by the score they were ready with
--   `:blocked`       tenants that have no place left
--   `:starts`        the times of the last starts, newest first, where the rate is limited
-- A meta is `priority|key|tenant`, or empty for a job that has none of them.
local TIMES = KEYS[1]
local JOBS, OWNERS, WAKE = TIMES .. ':jobs', TIMES .. ':owners', TIMES .. ':wake'
local TENANTS, PASSES, BLOCKED = TIMES .. ':tenants', TIMES .. ':passes', TIMES .. ':blocked'
-- What a point of priority is worth to jobs of the same tenant. Between tenants it is one turn.
local HEAD_START_MS = 60000
local PASSES_KEPT_MS = 60000

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function text(number) return string.format('%.0f', number) end
local function ready_of(tenant) return TIMES .. ':ready:' .. tenant end
local function parked_of(key) return TIMES .. ':parked:' .. key end
local function held_of_key(key) return TIMES .. ':held:key:' .. key end
local function held_of_tenant(tenant) return TIMES .. ':held:tenant:' .. tenant end

local function parse(meta)
  if not meta or meta == '' then return 0, '', '' end
  local priority, key, tenant = string.match(meta, '^(-?%d+)|([^|]*)|(.*)$')
  return tonumber(priority) or 0, key or '', tenant or ''
end

-- Where everybody stands who is not behind: a newcomer joins here, and owes nobody anything.
local function level()
  local top = redis.call('ZREVRANGE', PASSES, 0, 0, 'WITHSCORES')[2]
  local lowest = redis.call('ZRANGE', TENANTS, 0, 0, 'WITHSCORES')[2]
  if not top then return tonumber(lowest or 0) end
  return math.max(tonumber(top), tonumber(lowest or top))
end

-- The tenant has something ready. Priority lets it go before its turn, but not again and again:
-- what it was served lately is remembered.
local activated = {}
local function activate(tenant, priority)
  local memo = priority .. '|' .. tenant
  if activated[memo] then return end
  activated[memo] = true
  local pass = level() - priority
  local last = tonumber(redis.call('ZSCORE', PASSES, tenant) or pass)
  redis.call('ZADD', TENANTS, 'LT', text(math.max(pass, last)), tenant)
end

local function make_ready(id, meta, due)
  local priority, _, tenant = parse(meta)
  redis.call('ZADD', ready_of(tenant), text(due - HEAD_START_MS * priority), id)
  activate(tenant, priority)
end

local function wake_one()
  if redis.call('LLEN', WAKE) == 0 then redis.call('LPUSH', WAKE, '1') end
end

-- How many of these run under a lease that has not lapsed.
local function held(set) return redis.call('ZCOUNT', set, '(' .. text(now), '+inf') end

local function hold(id, meta, lease_end, per_tenant)
  if meta == '' then return end
  local _, key, tenant = parse(meta)
  if key ~= '' then redis.call('ZADD', held_of_key(key), lease_end, id) end
  if per_tenant > 0 and tenant ~= '' then redis.call('ZADD', held_of_tenant(tenant), lease_end, id) end
end

-- Lets parked ids of a key compete again, as many as it has places (limit 0: all).
local function unpark(key, per_key)
  local parked = parked_of(key)
  if redis.call('EXISTS', parked) == 0 then return false end
  local places = per_key > 0 and per_key - held(held_of_key(key)) or 1000
  if places < 1 then return false end
  local popped = redis.call('ZPOPMIN', parked, places)
  for i = 1, #popped, 2 do
    local priority, _, tenant = parse(redis.call('HGET', JOBS, popped[i]))
    redis.call('ZADD', ready_of(tenant), popped[i + 1], popped[i])
    activate(tenant, priority)
  end
  return true
end

-- The id does not count for its limits any more; answers whether that lets others go on.
local function let_go(id, meta, per_key)
  if meta == '' then return false end
  local priority, key, tenant = parse(meta)
  local freed = false
  if key ~= '' then
    redis.call('ZREM', held_of_key(key), id)
    freed = unpark(key, per_key)
  end
  if tenant ~= '' then
    redis.call('ZREM', held_of_tenant(tenant), id)
    if redis.call('SREM', BLOCKED, tenant) == 1 and redis.call('EXISTS', ready_of(tenant)) == 1 then
      activate(tenant, priority)
      freed = true
    end
  end
  return freed
end

-- Takes the id from wherever it waits to be claimed.
local function unready(id, meta)
  local _, key, tenant = parse(meta)
  redis.call('ZREM', ready_of(tenant), id)
  if key ~= '' then redis.call('ZREM', parked_of(key), id) end
end
