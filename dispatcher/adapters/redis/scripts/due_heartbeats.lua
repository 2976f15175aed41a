-- Take the heartbeats that are due; each is to be put into its agent's mailbox now.
--
-- KEYS[1]  prefix
-- ARGV[1]  most     at most so many
-- ARGV[2]  term     of the leader
--
-- Returns  {-1} when another runtime leads, else {now_ms, agent, ...}
--
-- An agent whose last heartbeat is not over gets none: it is looked at again. The next one is planned
-- here already, and once more when this one has ended, so a leader that dies costs one at most.
if is_of_the_past(ARGV[2]) then return {-1} end
local now = now_ms()
local answer = {now}
for _, agent in ipairs(redis.call("ZRANGEBYSCORE", P .. "heartbeats", "-inf", now, "LIMIT", 0, ARGV[1])) do
    local every = tonumber(redis.call("HGET", P .. "heartbeat_every", agent) or 0)
    redis.call("ZADD", P .. "heartbeats", now + math.max(every, 60000), agent)
    local open = redis.call("HGET", row_key("heartbeat-" .. agent), "open")
    if tonumber(open or 0) == 0 then answer[#answer + 1] = agent end
end
return answer
