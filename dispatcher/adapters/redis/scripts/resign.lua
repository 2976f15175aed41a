-- Give the lead away, so that a standby takes over at once.
--
-- KEYS[1]  prefix
-- ARGV[1]  holder        who leads no more
--
-- Returns  1 when it led, 0 when it did not
--
-- Safe to run twice: the second time it does not lead any more.
if redis.call("GET", P .. "leader") ~= ARGV[1] then return 0 end
return redis.call("DEL", P .. "leader")
