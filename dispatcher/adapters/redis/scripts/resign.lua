-- Give the lead away, so that a standby takes over at once, and stop counting as alive.
--
-- KEYS[1]  prefix
-- ARGV[1]  holder        who leads no more
--
-- Returns  how many other runtimes live
--
-- Safe to run twice: the second time it does not lead any more.
redis.call("ZREM", P .. "runtimes", ARGV[1])
redis.call("ZREMRANGEBYSCORE", P .. "runtimes", "-inf", now_ms())
if redis.call("GET", P .. "leader") == ARGV[1] then redis.call("DEL", P .. "leader") end
return redis.call("ZCARD", P .. "runtimes")
