-- Keep the roster that the leader has heard.
--
-- KEYS[1]  prefix
-- ARGV[1]  roster        JSON
-- ARGV[2]  term          of the leader
--
-- Returns  1 when it is kept, -1 when another runtime leads
--
-- Safe to run twice: it is written whole.
if is_of_the_past(ARGV[2]) then return -1 end
redis.call("SET", P .. "roster", ARGV[1])
return 1
