-- Plan the next heartbeat of an agent, counted from the end of the last one.
--
-- KEYS[1]  prefix
-- ARGV[1]  agent
-- ARGV[2]  jitter_ms  added to its interval
-- ARGV[3]  seen       what it could have acted on, as a fingerprint; empty to keep the last
--
-- Returns  1 when it is planned, 0 when the agent has left
--
-- Safe to run twice: the second time plans it a little later.
local every = redis.call("HGET", P .. "heartbeat_every", ARGV[1])
if not every then return 0 end
redis.call("ZADD", P .. "heartbeats", "XX", now_ms() + tonumber(every) + tonumber(ARGV[2]), ARGV[1])
redis.call("HSET", P .. "heartbeat_last", ARGV[1], now_ms())
if ARGV[3] ~= "" then redis.call("HSET", P .. "heartbeat_seen", ARGV[1], ARGV[3]) end
return 1
