-- Tell what was counted since the store began, and which processes live, in bounded time.
--
-- KEYS[1]  prefix
--
-- Returns  {now_ms, totals, asking (each a flat list of fields and values),
--           workers as {name, last pulse, facts, ...}, runtimes that live, who leads or "", term,
--           report or "", agents with a planned heartbeat, cap, agent_cap}
local now = now_ms()
local workers, pulses = {}, redis.call("ZRANGE", P .. "workers", 0, -1, "WITHSCORES")
for at = 1, #pulses, 2 do
    workers[#workers + 1] = pulses[at]
    workers[#workers + 1] = pulses[at + 1]
    workers[#workers + 1] = redis.call("HGET", P .. "worker_facts", pulses[at]) or "{}"
end
local cap, agent_cap = limits()
return {now, redis.call("HGETALL", P .. "totals"), redis.call("HGETALL", P .. "asking"), workers,
    redis.call("ZCOUNT", P .. "runtimes", now, "+inf"), redis.call("GET", P .. "leader") or "",
    tonumber(redis.call("GET", P .. "term") or 0), redis.call("GET", P .. "report") or "",
    redis.call("ZCARD", P .. "heartbeats"), cap, agent_cap}
