-- Stop asking: an agent, a conversation or all. Running turns end, paid answers are written back.
--
-- KEYS[1]  prefix
-- ARGV[1]  what    "all", "agent:{id}" or "conversation:{id}"
-- ARGV[2]  wanted  "1" to pause, "0" to resume
--
-- Returns  1 when something changed, 0 when it was so before
--
-- Safe to run twice: the second time nothing changes.
local now = now_ms()
local changed
if ARGV[2] == "1" then
    changed = redis.call("HSETNX", P .. "paused", ARGV[1], now)
else
    changed = redis.call("HDEL", P .. "paused", ARGV[1])
end
local conversation = string.match(ARGV[1], "^conversation:(.+)$")
if conversation and redis.call("EXISTS", mailbox_key(conversation)) == 1 then
    stand(conversation, now)
end
return changed
