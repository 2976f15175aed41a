-- Forget a dead letter; nobody gets an answer to it.
--
-- KEYS[1]  prefix
-- ARGV[1]  delivery
-- ARGV[2]  tombstone_ms  how long its row and its story are remembered
--
-- Returns  1 when it is forgotten, 0 when it is no dead letter
--
-- Safe to run twice: the second time it is not there any more.
if redis.call("ZREM", P .. "dead", ARGV[1]) == 0 then return 0 end
local row = row_key(redis.call("HGET", delivery_key(ARGV[1]), "notification"))
redis.call("HSET", row, "outcome", "discarded")
tell(ARGV[1], now_ms(), "discarded")
bury(ARGV[1], row, ARGV[2])
return 1
