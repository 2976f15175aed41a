-- Let the plan of heartbeats follow the roster.
--
-- KEYS[1]  prefix
-- ARGV[1]  agents   JSON list of {a, every, first}: agent, its interval, and how long its first
--                   heartbeat waits when it is new here, its interval has changed, or it is a minute
--                   late: after a long stop all would wake at once; both in ms
-- ARGV[2]  term     of the leader
--
-- Returns  -1 when another runtime leads, else how many agents are planned
--
-- Safe to run twice: whoever is planned already keeps its time.
if is_of_the_past(ARGV[2]) then return -1 end
local due, every, planned = P .. "heartbeats", P .. "heartbeat_every", {}
for _, one in ipairs(cjson.decode(ARGV[1])) do
    planned[one.a] = true
    local known = redis.call("HGET", every, one.a)
    local at = tonumber(redis.call("ZSCORE", due, one.a) or 0)
    if tonumber(known or 0) ~= one.every or at < now_ms() - 60000 then
        redis.call("HSET", every, one.a, string.format("%d", one.every))
        redis.call("ZADD", due, now_ms() + one.first, one.a)
    end
end
for _, agent in ipairs(redis.call("ZRANGE", due, 0, -1)) do
    if not planned[agent] then
        redis.call("ZREM", due, agent)
        redis.call("HDEL", every, agent)
        redis.call("HDEL", P .. "heartbeat_seen", agent)
        redis.call("HDEL", P .. "heartbeat_last", agent)
    end
end
return redis.call("ZCARD", due)
