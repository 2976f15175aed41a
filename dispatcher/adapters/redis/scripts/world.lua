-- Tell what deliveries wait for outside: the circuit, resting agents, pauses, the backend.
--
-- KEYS[1]  prefix
--
-- Returns  {now_ms, stop or "", circuit as a flat list of fields and values,
--           rests as {agent, until_ms, cause, since, ...}, paused as {what, since, ...}}
local now = now_ms()
local rests = {}
local found = redis.call("ZRANGEBYSCORE", P .. "rests", now, "+inf", "WITHSCORES")
for at = 1, #found, 2 do
    local facts = redis.call("HMGET", P .. "rest:" .. found[at], "cause", "since")
    for _, value in ipairs({found[at], found[at + 1], facts[1] or "", facts[2] or "0"}) do
        rests[#rests + 1] = value
    end
end
return {now, redis.call("GET", P .. "stop") or "", redis.call("HGETALL", P .. "circuit"), rests,
    redis.call("HGETALL", P .. "paused")}
