-- Compare listed rows with what the store holds, and set right mailboxes that stand nowhere.
--
-- KEYS[1]  prefix
-- ARGV[1]  rows   JSON list of {n, d, at}: notification, delivery, createdAt in ms as text
-- ARGV[2]  most   how many open deliveries are looked at
-- ARGV[3]  term   of the leader that audits
--
-- Returns  {-1} when another runtime leads, else {mailboxes set right, state of each row ...}:
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

-- Returns true when a mailbox stood nowhere, or was held without a lease.
local function set_right(conversation, agent_cap)
    local why = reason_of(conversation, agent_cap, now)
    if why == "held" and not redis.call("ZSCORE", P .. "claims", conversation) then
        -- A claim without a lease would never be taken back.
        redis.call("ZADD", P .. "claims", now, conversation)
        return true
    end
    local stands = redis.call("HEXISTS", mailbox_key(conversation), "line_class") == 1
    if why == "paused" and not stands and not is_paused("conversation:" .. conversation) then
        stand(conversation, now)
        return true
    end
    return false
end

local _, agent_cap = limits()
local righted = 0
for _, id in ipairs(redis.call("ZRANGE", P .. "open", 0, ARGV[2] - 1)) do
    local conversation = redis.call("HGET", delivery_key(id), "conversation")
    if not conversation then redis.call("ZREM", P .. "open", id) end
    if not conversation or set_right(conversation, agent_cap) then righted = righted + 1 end
end

local answer = {righted}
for _, row in ipairs(cjson.decode(ARGV[1])) do answer[#answer + 1] = state_of(row) end
return answer
