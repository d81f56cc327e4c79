-- Takes from allowances (GCRA): each is spent again as time passes, and holds one window's worth.
-- KEYS: one each. ARGV, for each: calls in a window, window in µs, calls to take.
-- Answers for each: 1 if taken; calls left; µs until all are back; µs until this could be taken.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answers = {}
for i, key in ipairs(KEYS) do
  local count, window, cost = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  -- Never further ahead than a window: Redis's clock may have been set back.
  local full_at = math.min(math.max(tonumber(redis.call('GET', key) or now), now), now + window)
  local after = full_at + cost * window / count
  local wait = math.max(0, after - window - now)
  if wait == 0 then
    full_at = after
    redis.call('SET', key, string.format('%.2f', after), 'PX', math.ceil((after - now) / 1000))
  end
  local left = math.floor((window - (full_at - now)) * count / window + 0.000001)
  for _, number in ipairs({wait == 0 and 1 or 0, left, math.ceil(full_at - now), math.ceil(wait)}) do
    table.insert(answers, number)
  end
end
return answers
