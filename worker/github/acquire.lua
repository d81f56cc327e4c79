-- Takes a turn to send one request, or says why not now.
-- KEYS: turns of everybody, turns of the login, what is known of the login
-- ARGV: turn, its longest life in ms, turns at once, points it costs, most points, points a ms
-- Answers {0, now} for a turn; {1, 0}: others have to end first; {2, ms until it is worth asking}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- How many of a login may be under way before GitHub has said how many it allows.
local CAREFUL = 10
local life, at_once, cost = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local most, rate = tonumber(ARGV[5]), tonumber(ARGV[6])

redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local known = redis.call('HMGET', KEYS[3], 'blocked_until', 'remaining', 'reset_at', 'points',
                         'points_at')
local blocked_until, remaining = tonumber(known[1] or 0), tonumber(known[2])
local reset_at = tonumber(known[3] or 0)
if blocked_until > now then return {2, blocked_until - now} end
if not remaining or reset_at <= now then remaining = CAREFUL end
if remaining <= 0 then return {2, reset_at - now} end
-- Each of those under way may be one that GitHub has not counted yet.
if redis.call('ZCARD', KEYS[2]) >= remaining then return {1, 0} end
if redis.call('ZCARD', KEYS[1]) >= at_once then return {1, 0} end
local points = math.min(most, tonumber(known[4] or most) + (now - tonumber(known[5] or now)) * rate)
if points < cost then return {2, math.ceil((cost - points) / rate)} end

redis.call('HSET', KEYS[3], 'points', points - cost, 'points_at', now)
redis.call('PEXPIRE', KEYS[3], 7200000)
for _, key in ipairs({KEYS[1], KEYS[2]}) do
    redis.call('ZADD', key, now + life, ARGV[1])
    redis.call('PEXPIRE', key, 2 * life)
end
return {0, now}
