-- Ends a turn, and remembers what its answer said of the limits, for everybody.
-- KEYS: as in acquire.lua
-- ARGV: turn, when it began, how it ended (answered, limited or lost), requests remaining, the end
--   of GitHub's window (its own clock, in s), ms until then, ms to be silent; '' for what is unknown
-- Answers for how many ms the login is blocked.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local began, ending = tonumber(ARGV[2]), ARGV[3]
local remaining, reset, reset_in = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local silence = tonumber(ARGV[7])

redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
local known = redis.call('HMGET', KEYS[3], 'blocked_until', 'remaining', 'reset', 'strikes',
                         'struck_at')
local blocked_until, last_reset = tonumber(known[1] or 0), tonumber(known[3] or 0)

if remaining and reset and reset >= last_reset then
    -- Answers overtake each other: within a window the lowest figure is the latest.
    if reset == last_reset then remaining = math.min(remaining, tonumber(known[2])) end
    redis.call('HSET', KEYS[3], 'remaining', remaining, 'reset', reset, 'reset_at', now + reset_in)
elseif ending == 'lost' and known[2] then
    redis.call('HINCRBY', KEYS[3], 'remaining', -1)
end

if ending == 'limited' then
    local strikes, struck_at = tonumber(known[4] or 0), tonumber(known[5] or 0)
    if now - blocked_until > 600000 then strikes = 0 end
    -- What was under way when the limit was first met does not make it twice as bad.
    if began > struck_at then
        strikes = strikes + 1
        redis.call('HSET', KEYS[3], 'strikes', strikes, 'struck_at', now)
    end
    if not silence and remaining == 0 and reset_in then silence = reset_in end
    silence = silence or math.min(60000 * 2 ^ (math.max(strikes, 1) - 1), 3600000)
    blocked_until = math.max(blocked_until, now + silence)
    redis.call('HSET', KEYS[3], 'blocked_until', blocked_until)
end
redis.call('PEXPIRE', KEYS[3], 7200000)
return math.max(0, blocked_until - now)
