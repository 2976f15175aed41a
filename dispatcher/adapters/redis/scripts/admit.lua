-- Tell the store what a probe of the gateway found while its circuit was open.
--
-- KEYS[1]  prefix
-- ARGV[1]  is_well      "1" when the gateway is ready and takes our token
-- ARGV[2]  term         of the leader that probed
-- ARGV[3]  first_ms     how long the next probe waits at first,
-- ARGV[4]  longest_ms   and at most
-- ARGV[5]  after_ms     how long those wait whose ask was lost: a gateway that crashed runs their
--                       turns again by itself when it is back
--
-- Returns  -1 when another runtime leads, 0 when no circuit is open, 1 when one trial ask is let
--          through now, 2 when the circuit stays open
--
-- Safe to run twice: a circuit that is on trial is not open any more.
if is_of_the_past(ARGV[2]) then return -1 end
local function let_rest(conversation)
    local head = head_of(conversation)
    local facts = head and redis.call("HMGET", delivery_key(head), "state", "due") or {}
    if not facts[1] or facts[1] == "claimed" then return end
    local due = math.max(tonumber(facts[2] or 0), now_ms() + ARGV[5])
    redis.call("HSET", delivery_key(head), "due", due)
    stand(conversation, now_ms())
end

local found = redis.call("HMGET", P .. "circuit", "state", "failures")
if found[1] ~= "open" then return 0 end
if ARGV[1] == "1" then
    for _, conversation in ipairs(redis.call("ZRANGE", P .. "lost", 0, -1)) do
        -- One spoiled mailbox must not keep the circuit open for everybody.
        pcall(let_rest, conversation)
    end
    redis.call("DEL", P .. "lost")
    redis.call("HSET", P .. "circuit", "state", "trial")
    return 1
end
local failures = tonumber(found[2]) + 1
redis.call("HSET", P .. "circuit", "failures", failures,
    "probe_at", now_ms() + grown(failures - 1, 0, ARGV[3], ARGV[4]))
return 2
