-- Claim the first eligible mailbox of the line; the one that was rung is only a hint.
--
-- KEYS[1]  prefix
-- ARGV[1]  hint          the conversation that was rung
-- ARGV[2]  token         random; the same on every retry of this call
-- ARGV[3]  lease_ms      how long the claim lives unless renewed
-- ARGV[4]  worker        who claims, for people to read
-- ARGV[5]  only_held     "1" to get only what the token holds already: the hint, or nothing
-- ARGV[6]  cap, ARGV[7] agent_cap   for a store that has forgotten its limits
--
-- Returns  {"claimed", conversation, delivery, now_ms, key_user, seen, field, value, ...}, or a reason:
--          {"credentials"}, {"full"}, or of the hint: {"circuit"}, {"paused"}, {"agent_resting"},
--          {"agent_full"}, {"empty"}, {"held"}, {"resting"}, {"waiting"}: others are before it
--
-- Safe to run twice: a token that got a mailbox gets the same one again. Safe to run late: one whose
-- claim is settled gets nothing.
local now = now_ms()
local is_unusable = is_spoiled(ARGV[1])

if not is_unusable and holds(ARGV[1], ARGV[2]) then return grant(ARGV[1], now) end
if ARGV[5] == "1" then return {"empty"} end
local again = granted(ARGV[2], now)
if again then return again end
if redis.call("EXISTS", P .. "settled:" .. ARGV[2]) == 1 then return {"empty"} end

local hint = is_unusable and {}
    or redis.call("HMGET", mailbox_key(ARGV[1]), "agent", "token", "line_class")
if hint[1] and not hint[2] and not hint[3] and not redis.call("ZSCORE", P .. "resting", ARGV[1]) then
    stand(ARGV[1], now)
end

if redis.call("EXISTS", P .. "stop") == 1 then return {"credentials"} end
local cap, agent_cap = limits(ARGV[6], ARGV[7])
if redis.call("ZCARD", P .. "claims") >= cap then return {"full"} end
return hand_out(ARGV[2], ARGV[3], ARGV[4], agent_cap, now)
    or {is_spoiled(ARGV[1]) and "empty" or reason_of(ARGV[1], agent_cap, now)}
