-- Take back expired leases, end due rests, and ring for whoever waits while slots are free.
--
-- KEYS[1]  prefix
-- ARGV[1]  ring_wait_ms      a mailbox not claimed so long after its ring is rung again
-- ARGV[2]  ring_wait_max_ms  that wait doubles from ring to ring up to this
-- ARGV[3]  most              how many leases, and how many rests, one sweep looks at
-- ARGV[4]  term              of the leader that sweeps
-- ARGV[5]  taken_ms          a trial ask that runs for so long was taken: the circuit closes
--
-- Returns  {-1} when another runtime leads, else
--          {expired leases, ended rests, conversation to ring, ...}
--
-- Safe to run twice: what was taken back once is not expired any more.
if is_of_the_past(ARGV[4]) then return {-1} end
local now = now_ms()
local expired = redis.call("ZRANGEBYSCORE", P .. "claims", "-inf", now, "LIMIT", 0, ARGV[3])
for _, conversation in ipairs(expired) do
    local found = redis.call("HMGET", mailbox_key(conversation), "delivery", "worker")
    redis.call("HINCRBY", delivery_key(found[1]), "strikes", 1)
    redis.call("HSET", delivery_key(found[1]), "state", "queued")
    tell(found[1], now, "strike", found[2])
    release(conversation, now)
end

redis.call("ZREMRANGEBYSCORE", P .. "rests", "-inf", now)
close_after_silent_trial(now, tonumber(ARGV[5]))
local due = redis.call("ZRANGEBYSCORE", P .. "resting", "-inf", now, "LIMIT", 0, ARGV[3])
for _, conversation in ipairs(due) do stand(conversation, now) end

local answer = {#expired, #due}
local cap, agent_cap = limits()
local free = cap - redis.call("ZCARD", P .. "claims")
for _, conversation in ipairs(eligible(free, agent_cap, now)) do
    local found = redis.call("HMGET", mailbox_key(conversation), "rung_at", "ring_wait")
    local wait = tonumber(found[2] or 0)
    if not found[1] or now - tonumber(found[1]) >= wait then
        local longer = math.max(tonumber(ARGV[1]), math.min(wait * 2, tonumber(ARGV[2])))
        redis.call("HSET", mailbox_key(conversation), "rung_at", now, "ring_wait", longer)
        answer[#answer + 1] = conversation
    end
end
return answer
