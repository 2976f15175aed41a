-- Tell of agents what they do now, for people who look.
--
-- KEYS[1]  prefix
-- ARGV     agent, ...
--
-- Returns  {now_ms, for each: {turns that run, conversations in line, end of its rest or 0, why it
--           rests, when it was paused or 0, when its next heartbeat is due or 0, when its last one
--           ended or 0}}
local answer = {now_ms()}
for at, agent in ipairs(ARGV) do
    local waiting = 0
    for class = 0, CLASSES - 1 do
        waiting = waiting + redis.call("ZCARD", P .. "line:" .. class .. ":" .. agent)
    end
    answer[at + 1] = {
        redis.call("SCARD", P .. "claims:" .. agent),
        waiting,
        redis.call("ZSCORE", P .. "rests", agent) or "0",
        redis.call("HGET", P .. "rest:" .. agent, "cause") or "",
        redis.call("HGET", P .. "paused", "agent:" .. agent) or "0",
        redis.call("ZSCORE", P .. "heartbeats", agent) or "0",
        redis.call("HGET", P .. "heartbeat_last", agent) or "0",
    }
end
return answer
