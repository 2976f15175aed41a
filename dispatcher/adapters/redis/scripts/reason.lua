-- Say why a mailbox is not claimed now.
--
-- KEYS[1]  prefix
-- ARGV[1]  conversation
--
-- Returns  {reason, delivery at the head or "", how many deliveries are in it}
local cap, agent_cap = limits()
local reason = why_not(ARGV[1], cap, agent_cap, now_ms())
return {reason, head_of(ARGV[1]) or "", redis.call("ZCARD", mail_key(ARGV[1]))}
