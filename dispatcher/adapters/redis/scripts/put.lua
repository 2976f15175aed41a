-- Put a page of entries into their mailboxes; what is not newer than what we know is ignored.
--
-- KEYS[1]  prefix
-- ARGV[1]  entries       JSON list of {d, n, m, a, t, c, k, l, at, cr, x}: delivery, notification,
--                        message, agent, task, conversation, kind, class, createdAt and
--                        _creationTime in ms as text, 1 when carried
-- ARGV[2]  tombstone_ms  how long a tombstone stays after its row was last listed
-- ARGV[3]  term          of the leader that puts; 0 for a worker that carries a message
--
-- Returns  {-1} when another runtime leads, else
--          {added, entries left alone because a key of theirs is of a wrong type,
--           conversation to ring, ...}; never more rings than free slots
--
-- Safe to run twice: the second time nothing is newer, and the sweeper rings for the lost answer.
if is_of_the_past(ARGV[3]) then return {-1} end
local now = now_ms()
local cap, agent_cap = limits()
local added, spoiled, standing = 0, 0, {}

-- A write that fails in the middle would leave half an entry: look before anything is written.
local function has_spoiled_key(entry)
    return not (is_of_type(delivery_key(entry.d), "hash") and is_of_type(row_key(entry.n), "hash")
        and is_of_type(mailbox_key(entry.c), "hash") and is_of_type(mail_key(entry.c), "zset")
        and is_of_type(story_key(entry.d), "list"))
end

-- A carried entry runs although its row is marked: when we hold its message already, or a newer
-- one of its row, that delivery has to run in spite of the mark.
local function is_known(entry)
    if redis.call("EXISTS", delivery_key(entry.d)) == 1 then
        if entry.x == 1 then redis.call("HSET", delivery_key(entry.d), "carried", 1) end
        return true
    end
    local row = row_key(entry.n)
    local found = redis.call("HMGET", row, "newest", "newest_id", "open")
    if not found[1] or tonumber(found[1]) < tonumber(entry.at) then return false end
    if entry.x == 1 then
        -- Two messages of one millisecond are told apart by their ids.
        if found[1] == entry.at then return found[2] == entry.d end
        if redis.call("EXISTS", delivery_key(found[2])) == 1 then
            redis.call("HSET", delivery_key(found[2]), "carried", 1)
        end
        return true
    end
    if found[3] == "0" and redis.call("PTTL", row) > 0 then
        redis.call("PEXPIRE", row, ARGV[2])
    end
    return true
end

-- Where an older message of the row was ours, its mark may still arrive late, from a worker that
-- died long ago: the newer message runs in spite of it.
local function add(entry)
    local carried = math.max(entry.x, redis.call("EXISTS", row_key(entry.n)))
    redis.call("HSET", delivery_key(entry.d), "state", "queued", "notification", entry.n,
        "message", entry.m, "agent", entry.a, "task", entry.t, "conversation", entry.c,
        "kind", entry.k, "class", entry.l, "created_at", entry.at, "creation_time", entry.cr,
        "carried", carried, "unlisted", entry.x, "place", entry.cr .. "|" .. entry.d, "put_at", now)
    redis.call("HSET", row_key(entry.n), "newest", entry.at, "newest_id", entry.d)
    redis.call("PERSIST", story_key(entry.d))
    tell(entry.d, now, "put", entry.x == 1 and "carried" or "")
    added = added + 1
    if take_in(entry.d, now) then standing[entry.c] = true end
end

-- Most listed rows are in work already: they are passed by with one look.
local function is_at_hand(entry)
    if entry.x == 1 then return false end
    local well, found = pcall(redis.call, "HEXISTS", delivery_key(entry.d), "place")
    return well and found == 1
end

for _, entry in ipairs(cjson.decode(ARGV[1])) do
    if not is_at_hand(entry) then
        if has_spoiled_key(entry) then
            spoiled = spoiled + 1
        elseif not is_known(entry) then
            add(entry)
        end
    end
end

local answer = {added, spoiled}
if added > 0 then
    local free = cap - redis.call("ZCARD", P .. "claims")
    for _, conversation in ipairs(eligible(free, agent_cap, now)) do
        if standing[conversation] then
            answer[#answer + 1] = conversation
        end
    end
end
return answer
