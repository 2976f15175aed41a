-- What every step shares. It stands in front of each script; KEYS[1] is the account's prefix.
--
-- Keys, all below the prefix (its hash tag keeps an account on one node of a cluster):
--   layout                 string  number of this layout
--   limits                 hash    cap, agent_cap: turns at once, over all and per agent
--   mailbox:{conversation} hash    agent, n0..n3 (deliveries by class), line_class while in line,
--                                  token, delivery, worker, claimed_at while claimed,
--                                  pinned: a head that an attempt has begun, rung_at, ring_wait
--   mail:{conversation}    zset    "{creation time}|{delivery}" by createdAt: ties in row order
--   delivery:{delivery}    hash    the entry, state, counters, journal, due, cause
--   row:{notification}     hash    newest createdAt seen, its delivery, open deliveries, key_user,
--                                  outcome; with an expiry it is the tombstone
--   line:{class}           zset    agents by their longest wait
--   line:{class}:{agent}   zset    conversations by the time their head was put
--   claims                 zset    claimed conversations by the end of their lease
--   claims:{agent}         set     the same by agent
--   handed:{token}         string  the conversation that a claim with this token got
--   settled:{token}        string  whom the settling of this token rang, for a minute
--   resting                zset    conversations by the time their head is due
--   open                   zset    every unsettled delivery by the time it was put
--   dead                   zset    dead deliveries by the time they died
--   turns                  string  claims granted so far
--   leader                 string  the runtime that leads, expiring with its lease
--   term                   string  how often the lead has changed hands
local P = KEYS[1]
local CLASSES = 4
local DEFAULT_CAP, DEFAULT_AGENT_CAP = 10, 5

local function now_ms()
    local time = redis.call("TIME")
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function mailbox_key(conversation) return P .. "mailbox:" .. conversation end
local function mail_key(conversation) return P .. "mail:" .. conversation end
local function delivery_key(delivery) return P .. "delivery:" .. delivery end
local function row_key(notification) return P .. "row:" .. notification end

local function limits()
    local found = redis.call("HMGET", P .. "limits", "cap", "agent_cap")
    return tonumber(found[1]) or DEFAULT_CAP, tonumber(found[2]) or DEFAULT_AGENT_CAP
end

-- A step of a runtime that leads no more must change nothing. Term 0 is for those who need no lead.
local function is_of_the_past(term)
    return tonumber(term) > 0 and redis.call("GET", P .. "term") ~= term
end

local function holds(conversation, token)
    return redis.call("HGET", mailbox_key(conversation), "token") == token
end

local function head_of(conversation)
    local pinned = redis.call("HGET", mailbox_key(conversation), "pinned")
    if pinned then return pinned end
    local first = redis.call("ZRANGE", mail_key(conversation), 0, 0)[1]
    return first and string.sub(first, string.find(first, "|", 1, true) + 1)
end

-- Take a mailbox out of wherever it waits: the line or the rests.
local function leave(conversation)
    redis.call("ZREM", P .. "resting", conversation)
    local mailbox = mailbox_key(conversation)
    local found = redis.call("HMGET", mailbox, "line_class", "agent")
    if not found[1] then return end
    local line, agent = P .. "line:" .. found[1], found[2]
    redis.call("ZREM", line .. ":" .. agent, conversation)
    local first = redis.call("ZRANGE", line .. ":" .. agent, 0, 0, "WITHSCORES")
    if first[1] then
        redis.call("ZADD", line, first[2], agent)
    else
        redis.call("ZREM", line, agent)
    end
    redis.call("HDEL", mailbox, "line_class")
end

-- Put an unclaimed mailbox where it belongs now: into the line, to rest, or away when empty.
-- Returns true when it stands in line.
local function stand(conversation, now)
    leave(conversation)
    local mailbox = mailbox_key(conversation)
    if redis.call("HEXISTS", mailbox, "token") == 1 then return false end
    local head = head_of(conversation)
    if not head then
        redis.call("DEL", mailbox)
        return false
    end
    local delivery = delivery_key(head)
    local facts = redis.call("HMGET", delivery, "due", "put_at")
    if facts[1] and tonumber(facts[1]) > now then
        redis.call("HSET", delivery, "state", "resting")
        redis.call("ZADD", P .. "resting", facts[1], conversation)
        return false
    end
    redis.call("HSET", delivery, "state", "queued")
    redis.call("HDEL", delivery, "due")
    local counts = redis.call("HMGET", mailbox, "n0", "n1", "n2", "n3", "agent")
    local class = CLASSES - 1
    for at = CLASSES, 1, -1 do
        if (tonumber(counts[at]) or 0) > 0 then class = at - 1 end
    end
    local line = P .. "line:" .. class
    redis.call("ZADD", line .. ":" .. counts[5], facts[2], conversation)
    redis.call("ZADD", line, redis.call("ZRANGE", line .. ":" .. counts[5], 0, 0, "WITHSCORES")[2],
        counts[5])
    redis.call("HSET", mailbox, "line_class", class)
    return true
end

-- Take one delivery out of its mailbox and out of the open ones.
local function take_out(conversation, id)
    local facts = redis.call("HMGET", delivery_key(id), "place", "class")
    redis.call("ZREM", mail_key(conversation), facts[1])
    redis.call("HINCRBY", mailbox_key(conversation), "n" .. facts[2], -1)
    redis.call("ZREM", P .. "open", id)
    if redis.call("HGET", mailbox_key(conversation), "pinned") == id then
        redis.call("HDEL", mailbox_key(conversation), "pinned")
    end
end

-- End the claim on a mailbox and let the mailbox stand where it belongs.
local function release(conversation, now)
    local mailbox = mailbox_key(conversation)
    local found = redis.call("HMGET", mailbox, "token", "agent")
    redis.call("DEL", P .. "handed:" .. found[1])
    redis.call("HDEL", mailbox, "token", "delivery", "worker", "claimed_at")
    redis.call("ZREM", P .. "claims", conversation)
    redis.call("SREM", P .. "claims:" .. found[2], conversation)
    return stand(conversation, now)
end

-- The first conversations in line that may be claimed now, at most `most`, by class and age.
local function eligible(most, agent_cap)
    local found = {}
    for class = 0, CLASSES - 1 do
        local line = P .. "line:" .. class
        for _, agent in ipairs(redis.call("ZRANGE", line, 0, -1)) do
            local free = agent_cap - redis.call("SCARD", P .. "claims:" .. agent)
            local room = math.min(free, most - #found)
            if room > 0 then
                local waiting = redis.call("ZRANGE", line .. ":" .. agent, 0, room - 1)
                for _, conversation in ipairs(waiting) do found[#found + 1] = conversation end
            end
            if #found >= most then return found end
        end
    end
    return found
end
