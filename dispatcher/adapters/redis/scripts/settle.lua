-- Give the outcome of an attempt to the mailbox, end the claim, and say who is rung next.
--
-- KEYS[1]  prefix
-- ARGV[1]  conversation
-- ARGV[2]  token
-- ARGV[3]  kind          "settled", "resting" or "dead"
-- ARGV[4]  word          the outcome or the cause
-- ARGV[5]  delay_ms      resting: how long
-- ARGV[6]  counter       resting: the counter that rises by one, or "nothing"
-- ARGV[7]  tombstone_ms  how long the row is remembered when nothing of it is open
--
-- Returns  {1, conversation to ring, ...} when done, {0} when the claim was lost before
--
-- Safe to run twice: for a minute the same token gets the same answer again.
local ANSWER_MS = 60000
local conversation, kind = ARGV[1], ARGV[3]
if not holds(conversation, ARGV[2]) then
    local ring = redis.call("GET", P .. "settled:" .. ARGV[2])
    if not ring then return {0} end
    return ring == "" and {1} or {1, ring}
end
local now = now_ms()
local id = redis.call("HGET", mailbox_key(conversation), "delivery")
local delivery = delivery_key(id)
local row = row_key(redis.call("HGET", delivery, "notification"))

if kind == "resting" then
    redis.call("HSET", delivery, "state", "queued", "due", now + ARGV[5], "cause", ARGV[4])
    if ARGV[6] ~= "nothing" then redis.call("HINCRBY", delivery, ARGV[6], 1) end
    if ARGV[6] ~= "waits" then redis.call("HSET", delivery, "waits", 0) end
else
    take_out(conversation, id)
    redis.call("HSET", row, "outcome", ARGV[4])
    local open = redis.call("HINCRBY", row, "open", -1)
    if kind == "dead" then
        redis.call("HSET", delivery, "state", "dead", "cause", ARGV[4], "died_at", now)
        redis.call("ZADD", P .. "dead", now, id)
    else
        redis.call("DEL", delivery)
        if open <= 0 then redis.call("PEXPIRE", row, ARGV[7]) end
    end
end
release(conversation, now)

local answer = {1}
local cap, agent_cap = limits()
if redis.call("ZCARD", P .. "claims") < cap then
    local following = eligible(1, agent_cap)[1]
    if following then answer[2] = following end
end
redis.call("SET", P .. "settled:" .. ARGV[2], answer[2] or "", "PX", ANSWER_MS)
return answer
