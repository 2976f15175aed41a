-- Tell the store what a probe of the gateway found while its circuit was open.
--
-- KEYS[1]  prefix
-- ARGV[1]  is_well      "1" when the gateway is ready and takes our token
-- ARGV[2]  again_ms     else: when it is probed again
-- ARGV[3]  after_ms     how long those wait whose ask was lost: a gateway that crashed runs their
--                       turns again by itself when it is back
--
-- Returns  {0} when no circuit is open, {1, conversation to ring, ...} when one trial ask is let
--          through now, {2} when the circuit stays open
--
-- Safe to run twice: a circuit that is on trial is not open any more. Nor is a lead needed: an old
-- finding costs one ask or one more probe.
local function let_rest(conversation)
    local head = head_of(conversation)
    local facts = head and redis.call("HMGET", delivery_key(head), "state", "due") or {}
    if not facts[1] or facts[1] == "claimed" then return end
    local due = math.max(tonumber(facts[2] or 0), now_ms() + ARGV[3])
    redis.call("HSET", delivery_key(head), "due", due)
    stand(conversation, now_ms())
end

if redis.call("HGET", P .. "circuit", "state") ~= "open" then return {0} end
if ARGV[1] ~= "1" then
    redis.call("HSET", P .. "circuit", "probe_at", now_ms() + ARGV[2])
    return {2}
end
for _, conversation in ipairs(redis.call("ZRANGE", P .. "lost", 0, -1)) do
    -- One spoiled mailbox must not keep the circuit open for everybody.
    pcall(let_rest, conversation)
end
redis.call("DEL", P .. "lost")
redis.call("HSET", P .. "circuit", "state", "trial")
local _, agent_cap = limits()
return {1, eligible(1, agent_cap, now_ms())[1]}
