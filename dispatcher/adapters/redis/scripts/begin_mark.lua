-- Note that a row is about to be marked without a claim, so that a crash cannot hide a message that
-- comes in between: whoever finds the note reads the row again.
--
-- KEYS[1]  prefix
-- ARGV[1]  notification
-- ARGV[2]  entry         as JSON text, in the form of put
-- ARGV[3]  created_at    of the message that the marking is about, in ms
-- ARGV[4]  delivery      of that message
--
-- Returns  1 when the row may be marked, 0 when a newer message of it is known or it is in work
--
-- Safe to run twice. A delivery of the row that waits runs from now on although its row is marked.
local newest = redis.call("HGET", row_key(ARGV[1]), "newest")
if newest and tonumber(newest) > tonumber(ARGV[3]) then return 0 end
local found = redis.call("HMGET", delivery_key(ARGV[4]), "state", "conversation")
if found[1] == "claimed" then return 0 end
if found[1] and found[1] ~= "dead" then
    redis.call("HSET", delivery_key(ARGV[4]), "carried", 1, "unlisted", 1)
    tell(ARGV[4], now_ms(), "carried", "")
end
redis.call("HSET", P .. "marking", ARGV[1], ARGV[2])
return 1
