-- Find the oldest deliveries that only wait for a paused or resting agent, while their rows are
-- still listed and take the place of others.
--
-- KEYS[1]  prefix
-- ARGV[1]  looked_at  how many open deliveries are looked at: the newest, because what was taken off
--                     the list before is older
-- ARGV[2]  most       how many are wanted
--
-- Returns  a list of facts, each a flat list of fields and values of a delivery
local now, found = now_ms(), {}
local function look_at(id)
    local facts = redis.call("HMGET", delivery_key(id), "conversation", "unlisted", "state", "agent",
        "created_at")
    if facts[3] == "queued" and facts[2] ~= "1" then
        local _, why = room_of(facts[4], 1, now)
        local is_stalled = why == "paused" or why == "agent_resting"
        if is_stalled or is_paused("conversation:" .. facts[1]) then
            found[#found + 1] = {tonumber(facts[5]), id}
        end
    end
end
for _, id in ipairs(redis.call("ZREVRANGE", P .. "open", 0, ARGV[1] - 1)) do pcall(look_at, id) end
table.sort(found, function(one, other)
    if one[1] ~= other[1] then return one[1] < other[1] end
    return one[2] < other[2]
end)

local answer = {}
for at = 1, math.min(#found, tonumber(ARGV[2])) do
    answer[at] = redis.call("HGETALL", delivery_key(found[at][2]))
end
return answer
