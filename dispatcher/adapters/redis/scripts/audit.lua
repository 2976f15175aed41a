-- Compare listed rows with what the store holds, and set right mailboxes that stand nowhere.
--
-- KEYS[1]  prefix
-- ARGV[1]  rows   JSON list of {n, d, at}: notification, delivery, createdAt in ms as text
-- ARGV[2]  most   how many open deliveries are looked at; the next audit goes on behind them
-- ARGV[3]  term   of the leader that audits
--
-- Returns  {-1} when another runtime leads, else
--          {mailboxes set right, deliveries whose keys are of a wrong type, state of each row ...}:
--          "open", "dead", "settled" (its mark was lost) or "unknown"
--
-- Safe to run twice: what was set right stands right.
if is_of_the_past(ARGV[3]) then return {-1} end
local now = now_ms()

local function state_of(row)
    local state = redis.call("HGET", delivery_key(row.d), "state")
    if state then return state == "dead" and "dead" or "open" end
    local found = redis.call("HMGET", row_key(row.n), "newest", "open")
    if not found[1] or tonumber(found[1]) < tonumber(row.at) then return "unknown" end
    if tonumber(found[2] or 0) > 0 then return "open" end
    return "settled"
end

-- A delivery that has lost its facts: whatever is listed of its row is put anew.
local function forget(id)
    redis.call("ZREM", P .. "open", id)
    local row = row_key(string.match(id, "^(.-):"))
    redis.call("HINCRBY", row, "open", -1)
    if redis.call("HGET", row, "newest_id") == id then redis.call("HDEL", row, "newest", "newest_id") end
end

-- Count a mailbox anew from the mail that it has.
local function rebuild(conversation, agent)
    local counts = {0, 0, 0, 0}
    for _, place in ipairs(redis.call("ZRANGE", mail_key(conversation), 0, -1)) do
        local class = redis.call("HGET", delivery_key(id_of(place)), "class")
        if class then
            counts[class + 1] = counts[class + 1] + 1
        else
            redis.call("ZREM", mail_key(conversation), place)
        end
    end
    redis.call("HSET", mailbox_key(conversation), "agent", agent, "n0", counts[1], "n1", counts[2],
        "n2", counts[3], "n3", counts[4])
    stand(conversation, now)
end

-- Returns true when a mailbox stood nowhere, was held without a lease, or had lost a part of itself.
local function set_right(id, agent_cap)
    local facts = redis.call("HMGET", delivery_key(id), "conversation", "agent", "place",
        "created_at")
    local conversation = facts[1]
    if not conversation then
        forget(id)
        return true
    end
    local mailbox, mail = mailbox_key(conversation), mail_key(conversation)
    local is_missing = not redis.call("ZSCORE", mail, facts[3])
    if is_missing then redis.call("ZADD", mail, facts[4], facts[3]) end
    if is_missing or redis.call("HEXISTS", mailbox, "agent") == 0 then
        rebuild(conversation, facts[2])
        return true
    end
    local why = reason_of(conversation, agent_cap, now)
    if why == "held" and not redis.call("ZSCORE", P .. "claims", conversation) then
        -- A claim without a lease would never be taken back.
        redis.call("ZADD", P .. "claims", now, conversation)
        return true
    end
    local stands = redis.call("HEXISTS", mailbox, "line_class") == 1
    if why == "paused" and not stands and not is_paused("conversation:" .. conversation) then
        stand(conversation, now)
        return true
    end
    return false
end

local _, agent_cap = limits()
local righted, spoiled = 0, 0
local begin = tonumber(redis.call("GET", P .. "audited") or 0)
if begin >= redis.call("ZCARD", P .. "open") then begin = 0 end
if redis.call("ZCARD", P .. "open") > tonumber(ARGV[2]) then
    redis.call("SET", P .. "audited", begin + ARGV[2])
else
    redis.call("DEL", P .. "audited")
end
for _, id in ipairs(redis.call("ZRANGE", P .. "open", begin, begin + ARGV[2] - 1)) do
    -- What a key of a wrong type keeps from being set right is tried again with the next audit.
    local well, wrong = pcall(set_right, id, agent_cap)
    if not well then spoiled = spoiled + 1 end
    if well and wrong then righted = righted + 1 end
end

local answer = {righted, spoiled}
for _, row in ipairs(cjson.decode(ARGV[1])) do
    local well, state = pcall(state_of, row)
    answer[#answer + 1] = well and state or "open"
end
return answer
