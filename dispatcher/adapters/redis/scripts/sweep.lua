-- Take back expired leases, end due rests, and ring for whoever waits while slots are free.
--
-- KEYS[1]  prefix
-- ARGV[1]  ring_wait_ms      a mailbox not claimed so long after its ring is rung again
-- ARGV[2]  ring_wait_max_ms  that wait doubles from ring to ring up to this
-- ARGV[3]  most              how many leases, and how many rests, one sweep looks at
-- ARGV[4]  term              of the leader that sweeps; 0 for a standby,
-- ARGV[5]  unswept_ms        which does it only when nobody has for so long
-- ARGV[6]  taken_ms          a trial ask that runs for so long was taken: the circuit closes
--
-- Returns  {-1} when another runtime leads, else
--          {expired leases, ended rests, mailboxes left alone because a key is of a wrong type,
--           conversation to ring, ...}
--
-- Safe to run twice: what was taken back once is not expired any more.
if is_of_the_past(ARGV[4]) then return {-1} end
local now = now_ms()
local unswept = now - tonumber(redis.call("GET", P .. "swept_at") or 0)
-- Below zero the clock of Redis was set back: then it is not known when the last sweep was.
if unswept >= 0 and unswept < tonumber(ARGV[5]) then return {0, 0, 0} end
redis.call("SET", P .. "swept_at", now)
close_after_silent_trial(now, tonumber(ARGV[6]))

local function take_back(conversation)
    local found = redis.call("HMGET", mailbox_key(conversation), "delivery", "worker")
    if not found[1] then
        -- Its mailbox is gone, so nothing can be released; the audit sets right what is left.
        redis.call("ZREM", P .. "claims", conversation)
        redis.call("SREM", P .. "claims:" .. agent_of(conversation), conversation)
        return
    end
    redis.call("HINCRBY", delivery_key(found[1]), "strikes", 1)
    redis.call("HSET", delivery_key(found[1]), "state", "queued")
    tell(found[1], now, "strike", found[2])
    release(conversation, now)
end

-- A key of a wrong type must not keep everybody else waiting.
local spoiled = 0
local function guarded(step, conversation)
    local well, result = pcall(step, conversation, now)
    if well then return result end
    evict(conversation)
    redis.call("ZREM", P .. "claims", conversation)
    redis.call("SREM", P .. "claims:" .. agent_of(conversation), conversation)
    spoiled = spoiled + 1
end

local expired = redis.call("ZRANGEBYSCORE", P .. "claims", "-inf", now, "LIMIT", 0, ARGV[3])
for _, conversation in ipairs(expired) do guarded(take_back, conversation) end

redis.call("ZREMRANGEBYSCORE", P .. "rests", "-inf", now)
local due = redis.call("ZRANGEBYSCORE", P .. "resting", "-inf", now, "LIMIT", 0, ARGV[3])
for _, conversation in ipairs(due) do guarded(stand, conversation) end

local function ring_again(conversation)
    local found = redis.call("HMGET", mailbox_key(conversation), "rung_at", "ring_wait")
    local wait = tonumber(found[2] or 0)
    if found[1] and now - tonumber(found[1]) < wait then return end
    local longer = math.max(tonumber(ARGV[1]), math.min(wait * 2, tonumber(ARGV[2])))
    redis.call("HSET", mailbox_key(conversation), "rung_at", now, "ring_wait", longer)
    return true
end

local cap, agent_cap = limits()
local free, ring = cap - redis.call("ZCARD", P .. "claims"), {}
for _, conversation in ipairs(eligible(free, agent_cap, now)) do
    if guarded(ring_again, conversation) then ring[#ring + 1] = conversation end
end
local answer = {#expired, #due, spoiled}
for _, conversation in ipairs(ring) do answer[#answer + 1] = conversation end
return answer
