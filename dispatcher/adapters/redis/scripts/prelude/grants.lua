-- What every step shares, part five: how a mailbox is handed to a worker.

local EVERY_CLASS = 8
-- Redis cannot be rid of a script that goes on for ever; the sweeper rings for what is left.
local MOST_UNSOUND = 100

-- Everything that the holder of a claim is told.
local function grant(conversation, now)
    local found = redis.call("HGET", mailbox_key(conversation), "delivery")
    local facts = redis.call("HGETALL", delivery_key(found))
    local row = row_key(redis.call("HGET", delivery_key(found), "notification"))
    local answer = {"claimed", conversation, found, now,
        redis.call("HGET", row, "key_user") or "", redis.call("GET", seen_key(conversation)) or 0}
    for _, value in ipairs(facts) do answer[#answer + 1] = value end
    return answer
end

-- What an earlier call with the same token got, when it still holds it.
local function granted(token, now)
    local handed = redis.call("GET", P .. "handed:" .. token)
    return handed and holds(handed, token) and grant(handed, now)
end

-- The longest wait of any class among the agents that have room.
local function longest_wait(agent_cap, now)
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

local function next_in_line(agent_cap, now)
    local turn = tonumber(redis.call("GET", P .. "turns") or 0) + 1
    local paid = redis.call("ZCARD", P .. "paid") > 0
    if turn % EVERY_CLASS == 0 and not paid and gate() == math.huge then
        return longest_wait(agent_cap, now)
    end
    return eligible(1, agent_cap, now)[1]
end

-- A head that needs no agent takes no slot of its agent, and cannot try out the gateway.
local function occupy(conversation, delivery, token, now)
    if redis.call("HGET", delivery_key(delivery), "paid") == "1" then return end
    local agent = redis.call("HGET", mailbox_key(conversation), "agent")
    redis.call("SADD", P .. "claims:" .. agent, conversation)
    if redis.call("HGET", P .. "circuit", "state") == "trial" then
        redis.call("HDEL", P .. "circuit", "asked_at")
        redis.call("HSET", P .. "circuit", "trial", token, "trial_at", now, "tried", agent)
    end
end

-- Hand the first eligible mailbox of the line to a token; nil when none may be claimed.
local function hand_out(token, lease_ms, worker, agent_cap, now)
    local conversation = next_in_line(agent_cap, now)
    local head, unsound = conversation and sound_head(conversation), 0
    while conversation and not head and unsound < MOST_UNSOUND do
        -- Out of every line first: a mailbox that has lost itself would be found there for ever.
        evict(conversation)
        if not is_spoiled(conversation) then stand(conversation, now) end
        conversation = next_in_line(agent_cap, now)
        head, unsound = conversation and sound_head(conversation), unsound + 1
    end
    if not head then return end
    leave(conversation)
    redis.call("INCR", P .. "turns")
    redis.call("SET", P .. "handed:" .. token, conversation, "PX", lease_ms)
    redis.call("HSET", mailbox_key(conversation), "token", token, "delivery", head,
        "worker", worker, "claimed_at", now)
    redis.call("HDEL", mailbox_key(conversation), "rung_at", "ring_wait", "joined_at",
        "wrote_at")
    redis.call("ZADD", P .. "claims", now + lease_ms, conversation)
    redis.call("HSET", delivery_key(head), "state", "claimed")
    occupy(conversation, head, token, now)
    tell(head, now, "claimed", worker)
    return grant(conversation, now)
end
