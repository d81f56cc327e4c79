-- Puts job ids into a queue's ready set, and wakes one sleeping worker.
-- KEYS: ready set, wake list.  ARGV: milliseconds a point of priority is worth, then for each job:
-- id, due time in ms since the epoch (0: now), priority.
-- An id that is there already, waiting or leased, is left as it is.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local head_start = tonumber(ARGV[1])
local added = 0
for i = 2, #ARGV, 3 do
  local due = tonumber(ARGV[i + 1])
  if due <= now then
    -- Priority is a head start, so it ages. It must not make a delayed job due before its time.
    if due == 0 then due = now end
    due = due - head_start * tonumber(ARGV[i + 2])
  end
  added = added + redis.call('ZADD', KEYS[1], 'NX', string.format('%.0f', due), ARGV[i])
end
if added > 0 and redis.call('LLEN', KEYS[2]) == 0 then
  redis.call('LPUSH', KEYS[2], '1')
end
return added
