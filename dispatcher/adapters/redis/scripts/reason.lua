-- Say why a mailbox is not claimed now.
--
-- KEYS[1]  prefix
-- ARGV[1]  conversation
--
-- Returns  {reason, delivery at the head or "", how many deliveries are in it}
local cap, agent_cap = limits()
local reason = reason_of(ARGV[1], agent_cap, now_ms())
if reason == "waiting" then
    if redis.call("EXISTS", P .. "stop") == 1 then reason = "credentials" end
    if redis.call("ZCARD", P .. "claims") >= cap then reason = "full" end
end
return {reason, head_of(ARGV[1]) or "", redis.call("ZCARD", mail_key(ARGV[1]))}
