-- Write how far the claimed delivery is. From now on it stays at the head of its mailbox.
--
-- KEYS[1]  prefix
-- ARGV[1]  conversation
-- ARGV[2]  token
-- ARGV[3]  record        the whole journal as JSON text
-- ARGV[4]  uses_row_key  "1" when the row's own id is about to be used as the key of a post
-- ARGV[5]  word          the step, for the story
-- ARGV[6]  detail        more of it, for people
-- ARGV[7]  paid          "1" when the delivery needs no agent any more
-- ARGV[8]  answer        what the agent has just answered, for people: it and the gateway are well;
--                        "" when it has not
-- ARGV[9]  shown         createdAt of the newest message that a concluded turn showed, in ms, or 0
-- ARGV[10] memory_ms     how long that is remembered
-- ARGV[11] tokens_in, ARGV[12] tokens_out   what an answer cost
-- ARGV[13] at            when it was written, by the clock of the claim's machine: any unit that rises
--
-- Returns  {1, newest createdAt known of the row, or 0} when written, {0} when the claim is lost
--
-- Safe to run twice: the record is written whole, and what is written already is not counted again.
-- Safe to run late: a copy that the network held back does not undo what was written after it.
local found = redis.call("HMGET", mailbox_key(ARGV[1]), "delivery", "agent", "token", "pinned", "wrote_at")
if found[3] ~= ARGV[2] then return {0} end
local id = found[1]
local known = redis.call("HMGET", delivery_key(id), "notification", "journal")
local row, is_repeated = row_key(known[1]), known[2] == ARGV[3]
local function newest() return redis.call("HGET", row, "newest") or "0" end
if tonumber(ARGV[13]) < tonumber(found[5] or 0) then return {1, newest()} end
redis.call("HSET", delivery_key(id), "journal", ARGV[3], "paid", ARGV[7])
redis.call("HSET", mailbox_key(ARGV[1]), "pinned", id, "wrote_at", ARGV[13])
if ARGV[4] == "1" then redis.call("HSETNX", row, "key_user", id) end
if ARGV[8] ~= "" then
    tell(id, now_ms(), "answered", ARGV[8])
    wake_agent(found[2])
    if not is_repeated then count_answer(now_ms(), found[2], ARGV[11], ARGV[12]) end
    redis.call("ZREM", P .. "lost", ARGV[1])
    if is_trial(ARGV[2]) then redis.call("DEL", P .. "circuit") end
end
if tonumber(ARGV[9]) > 0 then
    local seen = math.max(tonumber(ARGV[9]), tonumber(redis.call("GET", seen_key(ARGV[1])) or 0))
    redis.call("SET", seen_key(ARGV[1]), seen, "PX", ARGV[10])
end
if ARGV[5] == "asked" and is_trial(ARGV[2]) then
    redis.call("HSETNX", P .. "circuit", "asked_at", now_ms())
end
if ARGV[5] ~= "answered" then tell(id, now_ms(), ARGV[5], ARGV[6]) end
return {1, newest()}
