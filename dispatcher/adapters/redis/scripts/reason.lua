-- Say why a mailbox is not claimed now.
--
-- KEYS[1]  prefix
-- ARGV[1]  conversation
--
-- Returns  {reason, delivery that is claimed or stands at the head, or "", how many deliveries are in it}
local cap, agent_cap = limits()
local reason = why_not(ARGV[1], cap, agent_cap, now_ms())
local head = redis.call("HGET", mailbox_key(ARGV[1]), "delivery") or head_of(ARGV[1])
return {reason, head or "", redis.call("ZCARD", mail_key(ARGV[1]))}
