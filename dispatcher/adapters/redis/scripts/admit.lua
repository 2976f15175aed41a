-- Tell the store what a probe of the gateway found while its circuit was open.
--
-- KEYS[1]  prefix
-- ARGV[1]  is_well      "1" when the gateway is ready and takes our token
-- ARGV[2]  term         of the leader that probed
-- ARGV[3]  first_ms     how long the next probe waits at first,
-- ARGV[4]  longest_ms   and at most
--
-- Returns  -1 when another runtime leads, 0 when no circuit is open, 1 when one trial ask is let
--          through now, 2 when the circuit stays open
--
-- Safe to run twice: a circuit that is on trial is not open any more.
if is_of_the_past(ARGV[2]) then return -1 end
local found = redis.call("HMGET", P .. "circuit", "state", "failures")
if found[1] ~= "open" then return 0 end
if ARGV[1] == "1" then
    redis.call("HSET", P .. "circuit", "state", "trial")
    return 1
end
local failures = tonumber(found[2]) + 1
redis.call("HSET", P .. "circuit", "failures", failures,
    "probe_at", now_ms() + grown(failures - 1, 0, ARGV[3], ARGV[4]))
return 2
