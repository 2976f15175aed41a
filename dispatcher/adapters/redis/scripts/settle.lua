-- Give the outcome of an attempt to the mailbox, end the claim, and hand out or ring who is next.
--
-- KEYS[1]  prefix
-- ARGV[1]  conversation
-- ARGV[2]  token
-- ARGV[3]  kind          "settled", "resting" or "dead"
-- ARGV[4]  word          the outcome or the cause
-- ARGV[5]  delay_ms      resting: how long
-- ARGV[6]  counter       resting: the counter that rises by one, or "nothing"
-- ARGV[7]  tombstone_ms  how long the row is remembered when nothing of it is open
-- ARGV[8]  blamed        resting: "gateway", "agent", "backend" or "nobody": who is left alone
-- ARGV[9]  wish_ms       at least so long,
-- ARGV[10] first_ms      at first so long,
-- ARGV[11] longest_ms    growing up to so long
-- ARGV[12] sign          what the attempt told of the gateway: "answers", "unclear" or "none"
-- ARGV[13] dead_limit    so many dead letters are kept
-- ARGV[14] first_ms      how long the circuit stays open after a failed trial, at first
-- ARGV[15] longest_ms    and at most
-- ARGV[16] next_token    random; the caller claims what is next with it, or "" to have it rung
-- ARGV[17] lease_ms, ARGV[18] worker   of that claim
-- ARGV[19] cap, ARGV[20] agent_cap      for a store that has forgotten its limits
--
-- Returns  {1, dead letters dropped, "ring", conversation or ""} when done, or
--          {1, dead letters dropped, "claimed", ...} as claim does, {0} when the claim was lost before
--
-- Safe to run twice: for a minute the same token gets the same answer again.
local ANSWER_MS = 60000
local conversation, token, kind, word = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if not holds(conversation, token) then
    local ring = redis.call("GET", P .. "settled:" .. token)
    if not ring then return {0} end
    return {1, 0, unpack(granted(ARGV[16], now_ms()) or {"ring", ring})}
end
local now = now_ms()
local found = redis.call("HMGET", mailbox_key(conversation), "delivery", "agent")
local id, agent = found[1], found[2]
local delivery = delivery_key(id)
local row = row_key(redis.call("HGET", delivery, "notification"))

local function blame()
    local how = {now, tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])}
    if ARGV[8] == "gateway" then open_circuit(word, token, unpack(how)) end
    if ARGV[8] == "agent" then rest_agent(agent, word, unpack(how)) end
    if ARGV[8] == "backend" then redis.call("SET", P .. "stop", word, "PX", ARGV[10]) end
end

-- What the one ask that was let through tells: a gateway that answers is well, unless it was
-- shut off because its answers are deadly.
local function judge_trial()
    if not is_trial(token) or ARGV[12] == "none" then return end
    local cause = redis.call("HGET", P .. "circuit", "cause")
    if ARGV[12] == "answers" and not is_fuse(cause) then
        redis.call("DEL", P .. "circuit")
    else
        open_circuit(cause, token, now, 0, tonumber(ARGV[14]), tonumber(ARGV[15]))
    end
end

local dropped = 0
local function drop_oldest_dead()
    while redis.call("ZCARD", P .. "dead") > tonumber(ARGV[13]) do
        local oldest = redis.call("ZRANGE", P .. "dead", 0, 0)[1]
        redis.call("ZREM", P .. "dead", oldest)
        bury(oldest, row_key(redis.call("HGET", delivery_key(oldest), "notification")), ARGV[7])
        dropped = dropped + 1
    end
end

-- Waits are those of people and agents for a reply: from the notification to its end.
local function count_end()
    local facts = redis.call("HMGET", delivery, "kind", "created_at")
    local began = redis.call("HGET", mailbox_key(conversation), "claimed_at")
    count(now, kind .. ":" .. word, 1)
    if facts[1] == "heartbeat" then
        count(now, "heartbeats", 1)
        count(now, "heartbeats_ms", now - tonumber(began or now))
        return
    end
    count(now, kind, 1)
    if string.sub(word, 1, 8) == "answered" and kind == "settled" then
        count(now, "answered", 1)
        count(now, "answered:" .. agent, 1)
        count_time(now, "wait", now - tonumber(facts[2]))
        count_time(now, "run", now - tonumber(began or now))
    end
end

if kind == "dead" or ARGV[6] == "attempts" or ARGV[8] == "gateway" or ARGV[8] == "agent" then
    count_failure(now, word)
end
if kind ~= "resting" then count_end() end
if kind == "resting" then
    redis.call("HSET", delivery, "state", "queued", "due", now + ARGV[5], "cause", word)
    if ARGV[6] ~= "nothing" then redis.call("HINCRBY", delivery, ARGV[6], 1) end
    if ARGV[6] ~= "waits" then redis.call("HSET", delivery, "waits", 0) end
    if word == "ask_lost" then redis.call("ZADD", P .. "lost", now, conversation) end
    tell(id, now, "resting", word .. " " .. ARGV[5])
else
    take_out(conversation, id)
    redis.call("HSET", row, "outcome", word)
    redis.call("HINCRBY", row, "open", -1)
    tell(id, now, kind, word)
    if kind == "dead" then
        redis.call("HSET", delivery, "state", "dead", "cause", word, "died_at", now)
        redis.call("ZADD", P .. "dead", now, id)
        -- A dead letter with a key of a wrong type stays; what is settled is settled.
        pcall(drop_oldest_dead)
    else
        bury(id, row, ARGV[7])
    end
end
blame()
judge_trial()
release(conversation, now)

local cap, agent_cap = limits(ARGV[19], ARGV[20])
local has_room = redis.call("ZCARD", P .. "claims") < cap and redis.call("EXISTS", P .. "stop") == 0
local ring = ""
if has_room and ARGV[16] ~= "" then
    redis.call("SET", P .. "settled:" .. token, "", "PX", ANSWER_MS)
    -- What is wrong with another mailbox must not look like a failure of this one.
    local well, found = pcall(hand_out, ARGV[16], ARGV[17], ARGV[18], agent_cap, now)
    if well and found then return {1, dropped, unpack(found)} end
elseif has_room then
    ring = eligible(1, agent_cap, now)[1] or ""
end
redis.call("SET", P .. "settled:" .. token, ring, "PX", ANSWER_MS)
return {1, dropped, "ring", ring}
