-- Claim the first eligible mailbox of the line; the one that was rung is only a hint.
--
-- KEYS[1]  prefix
-- ARGV[1]  hint          the conversation that was rung
-- ARGV[2]  token         random; the same on every retry of this call
-- ARGV[3]  lease_ms      how long the claim lives unless renewed
-- ARGV[4]  worker        who claims, for people to read
-- ARGV[5]  only_held     "1" to get only what the token holds already: the hint, or nothing
-- ARGV[6]  cap, ARGV[7] agent_cap   for a store that has forgotten its limits
--
-- Returns  {"claimed", conversation, delivery, now_ms, key_user, seen, field, value, ...}, or a reason:
--          {"credentials"}, {"full"}, or of the hint: {"circuit"}, {"paused"}, {"agent_resting"},
--          {"agent_full"}, {"empty"}, {"held"}, {"resting"}, {"waiting"}: others are before it
--
-- Safe to run twice: a token that got a mailbox gets the same one again.
local EVERY_CLASS = 8
local now = now_ms()

local function grant(conversation)
    local delivery = redis.call("HGET", mailbox_key(conversation), "delivery")
    local facts = redis.call("HGETALL", delivery_key(delivery))
    local row = row_key(redis.call("HGET", delivery_key(delivery), "notification"))
    local answer = {"claimed", conversation, delivery, now,
        redis.call("HGET", row, "key_user") or "", redis.call("GET", seen_key(conversation)) or 0}
    for _, value in ipairs(facts) do answer[#answer + 1] = value end
    return answer
end

-- The longest wait of any class among the agents that have room.
local function longest_wait(agent_cap)
    local best, best_score
    for class = 0, CLASSES - 1 do
        local line = P .. "line:" .. class
        local agents = redis.call("ZRANGE", line, 0, -1, "WITHSCORES")
        for at = 1, #agents, 2 do
            local score = tonumber(agents[at + 1])
            if best_score and score >= best_score then break end
            if room_of(agents[at], agent_cap, now) > 0 then
                best_score = score
                best = redis.call("ZRANGE", line .. ":" .. agents[at], 0, 0)[1]
                break
            end
        end
    end
    return best
end

local function next_in_line(agent_cap)
    local turn = tonumber(redis.call("GET", P .. "turns") or 0) + 1
    local paid = redis.call("ZCARD", P .. "paid") > 0
    if turn % EVERY_CLASS == 0 and not paid and gate() == math.huge then
        return longest_wait(agent_cap)
    end
    return eligible(1, agent_cap, now)[1]
end

-- A head that needs no agent takes no slot of its agent, and cannot try out the gateway.
local function occupy(conversation, delivery)
    if redis.call("HGET", delivery_key(delivery), "paid") == "1" then return end
    local agent = redis.call("HGET", mailbox_key(conversation), "agent")
    redis.call("SADD", P .. "claims:" .. agent, conversation)
    if redis.call("HGET", P .. "circuit", "state") == "trial" then
        redis.call("HDEL", P .. "circuit", "asked_at")
        redis.call("HSET", P .. "circuit", "trial", ARGV[2], "trial_at", now, "tried", agent)
    end
end

if not is_spoiled(ARGV[1]) and holds(ARGV[1], ARGV[2]) then return grant(ARGV[1]) end
if ARGV[5] == "1" then return {"empty"} end
local handed = redis.call("GET", P .. "handed:" .. ARGV[2])
if handed and holds(handed, ARGV[2]) then return grant(handed) end

local hint = is_spoiled(ARGV[1]) and {}
    or redis.call("HMGET", mailbox_key(ARGV[1]), "agent", "token", "line_class")
if hint[1] and not hint[2] and not hint[3] and not redis.call("ZSCORE", P .. "resting", ARGV[1]) then
    stand(ARGV[1], now)
end

if redis.call("EXISTS", P .. "stop") == 1 then return {"credentials"} end
local cap, agent_cap = limits(ARGV[6], ARGV[7])
if redis.call("ZCARD", P .. "claims") >= cap then return {"full"} end
local conversation = next_in_line(agent_cap)
while conversation and (is_spoiled(conversation) or is_headless(conversation)) do
    if is_spoiled(conversation) then evict(conversation) else stand(conversation, now) end
    conversation = next_in_line(agent_cap)
end
if not conversation then
    return {is_spoiled(ARGV[1]) and "empty" or reason_of(ARGV[1], agent_cap, now)}
end

local delivery = head_of(conversation)
leave(conversation)
redis.call("INCR", P .. "turns")
redis.call("SET", P .. "handed:" .. ARGV[2], conversation, "PX", ARGV[3])
redis.call("HSET", mailbox_key(conversation), "token", ARGV[2], "delivery", delivery,
    "worker", ARGV[4], "claimed_at", now)
redis.call("HDEL", mailbox_key(conversation), "rung_at", "ring_wait", "joined_at")
redis.call("ZADD", P .. "claims", now + ARGV[3], conversation)
redis.call("HSET", delivery_key(delivery), "state", "claimed")
occupy(conversation, delivery)
tell(delivery, now, "claimed", ARGV[4])
return grant(conversation)
