-- Take the right to probe the gateway, whose circuit is open.
--
-- KEYS[1]  prefix
-- ARGV[1]  takes_ms     a probe that has told nothing for so long died with its prober
--
-- Returns  1 when the caller is to probe now, 0 when the circuit is not open, it is not time yet, or
--          another one probes
--
-- Run twice, it gives the right once: a caller that lost the first answer leaves it to the next.
local found = redis.call("HMGET", P .. "circuit", "state", "probe_at")
if found[1] ~= "open" or tonumber(found[2]) > now_ms() then return 0 end
redis.call("HSET", P .. "circuit", "probe_at", now_ms() + ARGV[1])
return 1
