-- Renew the leases of one process in one step.
--
-- KEYS[1]  prefix
-- ARGV[1]  lease_ms      how long each claim lives from now
-- ARGV[2]  ceiling_ms    a claim older than this is not renewed any more
-- ARGV[3]  conversation, ARGV[4] its token, and so on in pairs
--
-- Returns  for each pair 1 when the claim is ours and renewed, 0 when it is lost
--
-- Safe to run twice. A lease that ran out but was not taken back by the sweeper lives again.
local now = now_ms()
local answer = {}
for at = 3, #ARGV, 2 do
    local found = redis.call("HMGET", mailbox_key(ARGV[at]), "token", "claimed_at")
    local kept = found[1] == ARGV[at + 1] and now - tonumber(found[2]) <= tonumber(ARGV[2])
    if kept then redis.call("ZADD", P .. "claims", now + ARGV[1], ARGV[at]) end
    answer[#answer + 1] = kept and 1 or 0
end
return answer
