-- List mailboxes that run, wait or rest, the first ones in their order, for people who look.
--
-- KEYS[1]  prefix
-- ARGV[1]  which   "running" (the longest first), "waiting" (in the order of the line) or "resting"
--                  (the next due first)
-- ARGV[2]  most    at most so many are told
--
-- Returns  {now_ms, how many there are in all, then for each: the list
--           {delivery, reason, how many deliveries are in it, worker, claimed_at, last step told,
--            field, value, ...}}
local now, most = now_ms(), tonumber(ARGV[2])
local cap, agent_cap = limits()
local FIELDS = {"notification", "message", "agent", "task", "kind", "created_at", "creation_time",
    "carried", "state", "cause", "attempts", "strikes", "due", "put_at"}

-- Conversations that an operator paused stand in no line.
local function paused_ones()
    local found = {}
    for _, what in ipairs(redis.call("HKEYS", P .. "paused")) do
        local conversation = string.match(what, "^conversation:(.+)$")
        local is_one = conversation and redis.call("EXISTS", mail_key(conversation)) == 1
            and reason_of(conversation, agent_cap, now) == "paused"
        if is_one then found[#found + 1] = conversation end
    end
    return found
end

local function at_place(line, place)
    local one = redis.call("ZRANGE", line, place, place, "WITHSCORES")
    return one[1] and {line = line, place = place, conversation = one[1], score = tonumber(one[2])}
end

local function is_before(one, other)
    if one.score ~= other.score then return one.score < other.score end
    return one.conversation < other.conversation
end

-- Merges the agents' lines from their fronts: the cost is that of what is told, not of what waits.
local function in_class(class)
    local line, fronts, found, total = P .. "line:" .. class, {}, {}, 0
    for _, agent in ipairs(redis.call("ZRANGE", line, 0, -1)) do
        total = total + redis.call("ZCARD", line .. ":" .. agent)
        fronts[#fronts + 1] = at_place(line .. ":" .. agent, 0)
    end
    while #found < most and #fronts > 0 do
        local first = 1
        for at = 2, #fronts do
            if is_before(fronts[at], fronts[first]) then first = at end
        end
        local one = fronts[first]
        found[#found + 1] = one.conversation
        local behind = at_place(one.line, one.place + 1)
        if behind then fronts[first] = behind else table.remove(fronts, first) end
    end
    return found, total
end

local function waiting_ones()
    local found, total = redis.call("ZRANGE", P .. "paid", 0, most - 1), redis.call("ZCARD", P .. "paid")
    for class = 0, CLASSES - 1 do
        local ones, count_of_class = in_class(class)
        total = total + count_of_class
        for _, one in ipairs(ones) do found[#found + 1] = one end
    end
    local paused = paused_ones()
    for _, conversation in ipairs(paused) do found[#found + 1] = conversation end
    return found, total + #paused
end

local function running_ones()
    local found = {}
    for _, conversation in ipairs(redis.call("ZRANGE", P .. "claims", 0, -1)) do
        local at = redis.call("HGET", mailbox_key(conversation), "claimed_at")
        found[#found + 1] = {tonumber(at or now), conversation}
    end
    table.sort(found, function(one, other) return one[1] < other[1] end)
    for at, one in ipairs(found) do found[at] = one[2] end
    return found, #found
end

local function resting_ones()
    return redis.call("ZRANGE", P .. "resting", 0, most - 1), redis.call("ZCARD", P .. "resting")
end

local function place_of(conversation)
    local mailbox = redis.call("HMGET", mailbox_key(conversation), "delivery", "worker", "claimed_at")
    local id = mailbox[1] or head_of(conversation)
    if not id then return end
    local story = redis.call("LRANGE", story_key(id), -1, -1)[1]
    local place = {id, why_not(conversation, cap, agent_cap, now),
        redis.call("ZCARD", mail_key(conversation)), mailbox[2] or "", mailbox[3] or "", story or ""}
    local values = redis.call("HMGET", delivery_key(id), unpack(FIELDS))
    for at, field in ipairs(FIELDS) do
        if values[at] then
            place[#place + 1] = field
            place[#place + 1] = values[at]
        end
    end
    return values[1] and place
end

local finders = {running = running_ones, waiting = waiting_ones, resting = resting_ones}
local found, total = finders[ARGV[1]]()
local answer = {now, total}
for at = 1, math.min(#found, most) do
    local well, place = pcall(place_of, found[at])
    if well and place then answer[#answer + 1] = place end
end
return answer
