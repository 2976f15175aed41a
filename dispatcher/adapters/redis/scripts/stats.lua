-- Count what the store holds, in bounded time.
--
-- KEYS[1]  prefix
--
-- Returns  {now_ms, open, claims, resting, dead, paid, rows being marked without a claim,
--           then for each class: waiting, oldest put_at or 0}
local answer = {now_ms(), redis.call("ZCARD", P .. "open"), redis.call("ZCARD", P .. "claims"),
    redis.call("ZCARD", P .. "resting"), redis.call("ZCARD", P .. "dead"),
    redis.call("ZCARD", P .. "paid"), redis.call("HLEN", P .. "marking")}
for class = 0, CLASSES - 1 do
    local line = P .. "line:" .. class
    local waiting, agents = 0, redis.call("ZRANGE", line, 0, -1, "WITHSCORES")
    for at = 1, #agents, 2 do
        waiting = waiting + redis.call("ZCARD", line .. ":" .. agents[at])
    end
    answer[#answer + 1] = waiting
    answer[#answer + 1] = agents[2] or 0
end
return answer
