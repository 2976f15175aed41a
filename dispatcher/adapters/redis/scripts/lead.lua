-- Take the lead over an account's runtimes, or keep it.
--
-- KEYS[1]  prefix
-- ARGV[1]  holder        who wants to lead; the same for the life of a process
-- ARGV[2]  lease_ms      how long it leads unless it asks again
--
-- Beside it the holder is noted as a runtime that lives, for so long as it could lead.
--
-- Returns  the term, which grows by one with every change of the lead, or 0 when another one leads
--
-- Safe to run twice: the second time it only makes the lease start again.
redis.call("ZADD", P .. "runtimes", now_ms() + ARGV[2], ARGV[1])
redis.call("ZREMRANGEBYSCORE", P .. "runtimes", "-inf", now_ms())
local holder = redis.call("GET", P .. "leader")
if holder and holder ~= ARGV[1] then return 0 end
if not holder then redis.call("INCR", P .. "term") end
redis.call("SET", P .. "leader", ARGV[1], "PX", ARGV[2])
return tonumber(redis.call("GET", P .. "term"))
