-- Ask whether a claimed delivery may die of a cause, or whether so many die of it that the gateway
-- is to blame, or their one agent: then those are left alone instead.
--
-- KEYS[1]  prefix
-- ARGV[1]  conversation
-- ARGV[2]  token
-- ARGV[3]  cause
-- ARGV[4]  window_ms     how long a death is remembered
-- ARGV[5]  most          so many mailboxes may die of one cause within the window
-- ARGV[6]  first_ms, ARGV[7] longest_ms   how long the circuit stays open
-- ARGV[8]  first_ms, ARGV[9] longest_ms   how long an agent rests
--
-- Returns  1 when it may die, 2 when somebody else is to blame, 0 when the claim is lost
--
-- Safe to run twice: a mailbox counts once.
if not holds(ARGV[1], ARGV[2]) then return 0 end
local now, deaths = now_ms(), P .. "deaths:" .. ARGV[3]
redis.call("ZREMRANGEBYSCORE", deaths, "-inf", now - ARGV[4])
local found = redis.call("HMGET", mailbox_key(ARGV[1]), "agent", "delivery")
local agent, others, is_one_agents = found[1], 0, true
for _, conversation in ipairs(redis.call("ZRANGE", deaths, 0, -1)) do
    if conversation ~= ARGV[1] then
        others = others + 1
        if string.sub(conversation, 1, #agent + 1) ~= agent .. ":" then is_one_agents = false end
    end
end
if others < tonumber(ARGV[5]) then
    redis.call("ZADD", deaths, now, ARGV[1])
    redis.call("PEXPIRE", deaths, ARGV[4])
    return 1
end
if is_one_agents then
    rest_agent(agent, "fuse_" .. ARGV[3], now, 0, ARGV[8], ARGV[9])
else
    open_circuit("fuse_" .. ARGV[3], ARGV[2], now, 0, ARGV[6], ARGV[7])
end
tell(found[2], now, "spared", ARGV[3])
return 2
