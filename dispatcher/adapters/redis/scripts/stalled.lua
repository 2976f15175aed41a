-- Find the oldest deliveries that only wait for a paused or resting agent, while their rows are
-- still listed and take the place of others.
--
-- KEYS[1]  prefix
-- ARGV[1]  looked_at  how many open deliveries are looked at
-- ARGV[2]  most       how many are wanted
--
-- Returns  a list of facts, each a flat list of fields and values of a delivery
local now, found = now_ms(), {}
for _, id in ipairs(redis.call("ZRANGE", P .. "open", 0, ARGV[1] - 1)) do
    local facts = redis.call("HMGET", delivery_key(id), "conversation", "carried", "state", "agent")
    local waits = facts[3] == "queued" and facts[2] ~= "1"
    if waits then
        local conversation, agent = "conversation:" .. facts[1], facts[4]
        local _, why = room_of(agent, 1, now)
        if is_paused(conversation) or why == "paused" or why == "agent_resting" then
            found[#found + 1] = redis.call("HGETALL", delivery_key(id))
        end
    end
    if #found >= tonumber(ARGV[2]) then break end
end
return found
