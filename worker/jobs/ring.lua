-- Makes jobs ready, now or at their time, and wakes one sleeping worker.
-- ARGV: for each job id, due time in ms since the epoch (0: now), meta. Answers how many are new.
-- An id that is there already, waiting or leased, is left as it is.
local added = 0

-- Whether a known id still has its place, and its tenant a turn: either may have been evicted.
local function in_place(id, meta)
  local priority, key, tenant = parse(meta)
  if redis.call('ZSCORE', TIMES, id) then return true end
  if key ~= '' and redis.call('ZSCORE', parked_of(key), id) then return true end
  if not redis.call('ZSCORE', ready_of(tenant), id) then return false end
  if not redis.call('ZSCORE', TENANTS, tenant) and redis.call('SISMEMBER', BLOCKED, tenant) == 0 then
    activate(tenant, priority)
  end
  return true
end

for i = 1, #ARGV, 3 do
  local id, due, meta = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  local known = redis.call('HSETNX', JOBS, id, meta) == 0
  if known then meta = redis.call('HGET', JOBS, id) end
  local _, key = parse(meta)
  if not known or not in_place(id, meta) then
    added = added + 1
    if due > now then
      -- Priority must not make a delayed job due before its time: it counts from then on.
      redis.call('ZADD', TIMES, text(due), id)
    elseif key ~= '' and redis.call('EXISTS', parked_of(key)) == 1 then
      local priority = parse(meta)
      redis.call('ZADD', parked_of(key), text(now - HEAD_START_MS * priority), id)
    else
      make_ready(id, meta, due == 0 and now or due)
    end
  elseif key ~= '' and redis.call('EXISTS', held_of_key(key)) == 0 then
    -- Nobody runs who would let the parked ones go on: a net, should a key have been deleted.
    unpark(key, 1)
  end
end
if added > 0 then wake_one() end
return added
