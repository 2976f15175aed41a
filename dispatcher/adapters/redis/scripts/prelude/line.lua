-- What every step shares, part four: where a mailbox stands.

local function id_of(place) return string.sub(place, string.find(place, "|", 1, true) + 1) end

local function head_of(conversation)
    local pinned = redis.call("HGET", mailbox_key(conversation), "pinned")
    if pinned then return pinned end
    local first = redis.call("ZRANGE", mail_key(conversation), 0, 0)[1]
    return first and id_of(first)
end

-- Say whether a mailbox cannot be used because a key of it is of a type that no step writes.
local function is_spoiled(conversation)
    if not is_of_type(mailbox_key(conversation), "hash")
        or not is_of_type(mail_key(conversation), "zset") then return true end
    local head = head_of(conversation)
    return head and not is_of_type(delivery_key(head), "hash")
end

local function is_headless(conversation)
    local head = head_of(conversation)
    return head and redis.call("HEXISTS", delivery_key(head), "conversation") == 0
end

-- The head of a mailbox, or nil when a key of it is of a wrong type or has lost its facts.
local function sound_head(conversation)
    local well, pinned = pcall(redis.call, "HGET", mailbox_key(conversation), "pinned")
    local has_mail, first = pcall(redis.call, "ZRANGE", mail_key(conversation), 0, 0)
    if not well or not has_mail then return end
    local head = pinned or (first[1] and id_of(first[1]))
    if not head then return end
    local is_hash, found = pcall(redis.call, "HEXISTS", delivery_key(head), "conversation")
    return is_hash and found == 1 and head or nil
end

-- Take heads that have lost their facts out of a mailbox; the audit puts their rows anew.
local function drop_lost_heads(conversation)
    while is_headless(conversation) do
        local head = head_of(conversation)
        if redis.call("HGET", mailbox_key(conversation), "pinned") == head then
            redis.call("HDEL", mailbox_key(conversation), "pinned")
        end
        for _, place in ipairs(redis.call("ZRANGE", mail_key(conversation), 0, -1)) do
            if id_of(place) == head then redis.call("ZREM", mail_key(conversation), place) end
        end
        redis.call("DEL", delivery_key(head))
    end
end

local function take_from_line(conversation, class, agent)
    local line = P .. "line:" .. class
    redis.call("ZREM", line .. ":" .. agent, conversation)
    local first = redis.call("ZRANGE", line .. ":" .. agent, 0, 0, "WITHSCORES")
    if first[1] then
        redis.call("ZADD", line, first[2], agent)
    else
        redis.call("ZREM", line, agent)
    end
end

-- Take a spoiled mailbox out of the way of the others; the audit brings it back once it is well.
local function evict(conversation)
    redis.call("ZREM", P .. "paid", conversation)
    redis.call("ZREM", P .. "resting", conversation)
    for class = 0, CLASSES - 1 do take_from_line(conversation, class, agent_of(conversation)) end
    if redis.call("TYPE", mailbox_key(conversation)).ok == "hash" then
        redis.call("HDEL", mailbox_key(conversation), "line_class")
    end
end

-- Take a mailbox out of wherever it waits: the line or the rests.
local function leave(conversation)
    redis.call("ZREM", P .. "resting", conversation)
    local mailbox = mailbox_key(conversation)
    local found = redis.call("HMGET", mailbox, "line_class", "agent")
    if not found[1] then return end
    redis.call("HDEL", mailbox, "line_class")
    if found[1] == "paid" then
        redis.call("ZREM", P .. "paid", conversation)
        return
    end
    take_from_line(conversation, found[1], found[2])
end

local function join(conversation, put_at, now)
    local mailbox = mailbox_key(conversation)
    local counts = redis.call("HMGET", mailbox, "n0", "n1", "n2", "n3", "agent")
    local class = CLASSES - 1
    for at = CLASSES, 1, -1 do
        if (tonumber(counts[at]) or 0) > 0 then class = at - 1 end
    end
    local line = P .. "line:" .. class
    redis.call("ZADD", line .. ":" .. counts[5], put_at, conversation)
    redis.call("ZADD", line, redis.call("ZRANGE", line .. ":" .. counts[5], 0, 0, "WITHSCORES")[2],
        counts[5])
    redis.call("HSET", mailbox, "line_class", class)
    redis.call("HSETNX", mailbox, "joined_at", now)
end

-- Put an unclaimed mailbox where it belongs now: into a line, to rest, or away when empty. One that
-- is paused stands nowhere. Returns true when it stands in a line.
local function stand(conversation, now)
    leave(conversation)
    local mailbox = mailbox_key(conversation)
    if redis.call("HEXISTS", mailbox, "token") == 1 then return false end
    local head = sound_head(conversation)
    if not head then
        drop_lost_heads(conversation)
        head = head_of(conversation)
    end
    if not head then
        redis.call("DEL", mailbox)
        return false
    end
    local delivery = delivery_key(head)
    local facts = redis.call("HMGET", delivery, "due", "put_at", "paid", "state")
    if facts[1] and tonumber(facts[1]) > now then
        redis.call("HSET", delivery, "state", "resting")
        redis.call("ZADD", P .. "resting", facts[1], conversation)
        redis.call("HDEL", mailbox, "joined_at")
        return false
    end
    if facts[4] ~= "queued" then redis.call("HSET", delivery, "state", "queued") end
    if facts[1] then redis.call("HDEL", delivery, "due") end
    if facts[3] == "1" then
        redis.call("ZADD", P .. "paid", facts[2], conversation)
        redis.call("HSET", mailbox, "line_class", "paid")
        return true
    end
    if is_paused("conversation:" .. conversation) then return false end
    join(conversation, facts[2], now)
    return true
end

-- Take one delivery out of its mailbox and out of the open ones.
local function take_out(conversation, id)
    local facts = redis.call("HMGET", delivery_key(id), "place", "class")
    redis.call("ZREM", mail_key(conversation), facts[1])
    redis.call("HINCRBY", mailbox_key(conversation), "n" .. facts[2], -1)
    redis.call("ZREM", P .. "open", id)
    redis.call("ZREM", P .. "lost", conversation)
    if redis.call("HGET", mailbox_key(conversation), "pinned") == id then
        redis.call("HDEL", mailbox_key(conversation), "pinned")
    end
end

-- Put one delivery, whose facts are written, into its mailbox and among the open ones.
local function take_in(id, now)
    local facts = redis.call("HMGET", delivery_key(id), "conversation", "agent", "class", "place",
        "created_at", "notification")
    redis.call("HINCRBY", row_key(facts[6]), "open", 1)
    redis.call("PERSIST", row_key(facts[6]))
    redis.call("ZADD", mail_key(facts[1]), facts[5], facts[4])
    redis.call("HSET", mailbox_key(facts[1]), "agent", facts[2])
    redis.call("HINCRBY", mailbox_key(facts[1]), "n" .. facts[3], 1)
    redis.call("ZADD", P .. "open", now, id)
    return stand(facts[1], now)
end

-- Forget a delivery; its row and its story are kept for a while, the row only when nothing of it
-- is open any more.
local function bury(id, row, tombstone_ms)
    redis.call("DEL", delivery_key(id))
    redis.call("PEXPIRE", story_key(id), tombstone_ms)
    if tonumber(redis.call("HGET", row, "open") or 0) <= 0 then
        redis.call("PEXPIRE", row, tombstone_ms)
    end
end

-- End the claim on a mailbox and let the mailbox stand where it belongs.
local function release(conversation, now)
    local mailbox = mailbox_key(conversation)
    local found = redis.call("HMGET", mailbox, "token", "agent")
    redis.call("DEL", P .. "handed:" .. found[1])
    redis.call("HDEL", mailbox, "token", "delivery", "worker", "claimed_at", "wrote_at")
    redis.call("ZREM", P .. "claims", conversation)
    redis.call("SREM", P .. "claims:" .. found[2], conversation)
    if is_trial(found[1]) then redis.call("HDEL", P .. "circuit", "trial") end
    return stand(conversation, now)
end

-- Add to `found` the first conversations that may ask now, up to `most`, but none of agent `but`.
local function collect(found, most, agent_cap, now, but)
    for class = 0, CLASSES - 1 do
        local line = P .. "line:" .. class
        for _, agent in ipairs(redis.call("ZRANGE", line, 0, -1)) do
            if #found >= most then return end
            local room = agent ~= but and room_of(agent, agent_cap, now) or 0
            room = math.min(room, most - #found)
            if room > 0 then
                local waiting = redis.call("ZRANGE", line .. ":" .. agent, 0, room - 1)
                for _, conversation in ipairs(waiting) do found[#found + 1] = conversation end
            end
        end
    end
end

-- The first conversations in line that may be claimed now, at most `most`: those that need no agent
-- first, then by class and age. A trial goes to another agent than the last one, if it can.
local function eligible(most, agent_cap, now)
    if most <= 0 or redis.call("EXISTS", P .. "stop") == 1 then return {} end
    local found = redis.call("ZRANGE", P .. "paid", 0, most - 1)
    local paid = #found
    most = math.min(most, paid + gate())
    local tried = redis.call("HGET", P .. "circuit", "tried")
    collect(found, most, agent_cap, now, tried)
    if #found == paid and tried then collect(found, most, agent_cap, now) end
    return found
end

-- Why a mailbox is not claimed: held, resting, paused, or what keeps it in the line.
local function reason_of(conversation, agent_cap, now)
    local found = redis.call("HMGET", mailbox_key(conversation), "agent", "token", "line_class")
    if not found[1] then return "empty" end
    if found[2] then return "held" end
    if not found[3] then
        local rests = redis.call("ZSCORE", P .. "resting", conversation)
        return rests and "resting" or "paused"
    end
    if found[3] == "paid" then return "waiting" end
    local open, closed = gate()
    if open <= 0 then return closed end
    local room, why = room_of(found[1], agent_cap, now)
    return room <= 0 and why or "waiting"
end

-- The same for whoever looks from outside: what keeps one that could be claimed waiting.
local function why_not(conversation, cap, agent_cap, now)
    local reason = reason_of(conversation, agent_cap, now)
    if reason ~= "waiting" then return reason end
    if redis.call("EXISTS", P .. "stop") == 1 then return "credentials" end
    return redis.call("ZCARD", P .. "claims") >= cap and "full" or "waiting"
end
