-- What every step shares, part two: the world that deliveries wait for.
--
-- Whoever waits for the gateway, for an agent or for an operator stands in line without a rest of
-- its own: it is not eligible, and goes on in its turn once the world is well again.

local ASKS_WITHIN_MS = 3000

local function is_fuse(cause) return string.sub(cause or "", 1, 5) == "fuse_" end

-- A rest that grows from failure to failure, but never ends before the other side wished.
local function grown(level, wish, first, longest)
    local wait = math.min(tonumber(longest), tonumber(first) * 2 ^ math.min(level, 20))
    return math.max(tonumber(wish), wait)
end

local function open_circuit(cause, token, now, wish, first, longest)
    local found = redis.call("HMGET", P .. "circuit", "state", "trial", "probe_at")
    if found[1] == "open" or (found[1] == "trial" and found[2] ~= token) then
        -- Known already; only a wish for more patience counts.
        local probe_at = math.max(tonumber(found[3]), now + wish)
        redis.call("HSET", P .. "circuit", "probe_at", probe_at)
        return
    end
    local failures = redis.call("HINCRBY", P .. "circuit", "failures", 1)
    local probe_at = now + grown(failures - 1, wish, first, longest)
    redis.call("HSET", P .. "circuit", "state", "open", "cause", cause, "probe_at", probe_at)
    redis.call("HSETNX", P .. "circuit", "since", now)
    redis.call("HDEL", P .. "circuit", "trial")
end

local function is_trial(token)
    return redis.call("HGET", P .. "circuit", "trial") == token
end

-- An ask that was not refused within seconds was taken. Waiting for its answer, which may never
-- come, would keep everybody waiting for one hung agent. After the fuse only an answer counts.
local function close_after_silent_trial(now, taken_ms)
    local found = redis.call("HMGET", P .. "circuit", "trial", "asked_at", "cause")
    if not found[1] or not found[2] or is_fuse(found[3]) then return end
    if now - tonumber(found[2]) >= taken_ms then redis.call("DEL", P .. "circuit") end
end

local function rest_agent(agent, cause, now, wish, first, longest)
    local rest = P .. "rest:" .. agent
    local until_ms = tonumber(redis.call("ZSCORE", P .. "rests", agent) or 0)
    if until_ms > now then
        -- Several turns of one agent fail together: that is one failure.
        until_ms = math.max(until_ms, now + wish)
    else
        local level = tonumber(redis.call("HGET", rest, "level") or 0)
        until_ms = now + grown(level, wish, first, longest)
        redis.call("HSET", rest, "cause", cause, "since", now, "level", level + 1)
    end
    redis.call("ZADD", P .. "rests", until_ms, agent)
    redis.call("PEXPIRE", rest, until_ms - now + longest)
end

local function wake_agent(agent)
    redis.call("ZREM", P .. "rests", agent)
    redis.call("DEL", P .. "rest:" .. agent)
end

local function is_paused(what)
    return redis.call("HEXISTS", P .. "paused", what) == 1
end

-- How many more asks the world lets through, and why not more.
local function gate()
    if is_paused("all") then return 0, "paused" end
    local found = redis.call("HMGET", P .. "circuit", "state", "trial", "trial_at", "asked_at")
    if not found[1] then return math.huge end
    if found[1] ~= "trial" then return 0, "circuit" end
    -- Who has not asked within seconds may never do so: its worker died, or is held up.
    local is_late = found[2] and not found[4] and now_ms() - tonumber(found[3] or 0) > ASKS_WITHIN_MS
    if not found[2] or is_late then return 1 end
    return 0, "circuit"
end

-- How many more asks one agent may be sent, and why not more.
local function room_of(agent, agent_cap, now)
    if is_paused("agent:" .. agent) then return 0, "paused" end
    local rest = redis.call("ZSCORE", P .. "rests", agent)
    if rest and tonumber(rest) > now then return 0, "agent_resting" end
    local free = agent_cap - redis.call("SCARD", P .. "claims:" .. agent)
    return math.max(0, free), "agent_full"
end
