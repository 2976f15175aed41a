-- Count what the store holds, in bounded time.
--
-- KEYS[1]  prefix
--
-- Returns  {now_ms, open, claims, resting, dead, paid, rows being marked without a claim,
--           then for each class: waiting, since when its oldest waits in line or 0}; what an operator
--           has paused is counted, but nobody waits for it
local answer = {now_ms(), redis.call("ZCARD", P .. "open"), redis.call("ZCARD", P .. "claims"),
    redis.call("ZCARD", P .. "resting"), redis.call("ZCARD", P .. "dead"),
    redis.call("ZCARD", P .. "paid"), redis.call("HLEN", P .. "marking")}
local function waits_since(line, agent)
    local first = redis.call("ZRANGE", line .. ":" .. agent, 0, 0, "WITHSCORES")
    if not first[1] then return 0 end
    local well, joined = pcall(redis.call, "HGET", mailbox_key(first[1]), "joined_at")
    return well and tonumber(joined or first[2]) or tonumber(first[2])
end

local nobody_waits = is_paused("all")
for class = 0, CLASSES - 1 do
    local line = P .. "line:" .. class
    local waiting, oldest = 0, 0
    for _, agent in ipairs(redis.call("ZRANGE", line, 0, -1)) do
        waiting = waiting + redis.call("ZCARD", line .. ":" .. agent)
        if not nobody_waits and not is_paused("agent:" .. agent) then
            -- Not the first in line: a delivery that was tried before stands early and joined late.
            local since = waits_since(line, agent)
            if since > 0 and (oldest == 0 or since < oldest) then oldest = since end
        end
    end
    answer[#answer + 1] = waiting
    answer[#answer + 1] = oldest
end
return answer
