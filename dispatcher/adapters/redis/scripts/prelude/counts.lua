-- What every step shares, part three: what is counted as it happens, for health and console.
--
-- Counted inside the steps that change the truth: nothing is missed, nothing counted twice, and it
-- costs no call of its own. Each count goes into the totals and into two series of slots.

local SERIES = {
    {name = "minute", length_ms = 60000, kept_ms = 2 * 3600000},
    {name = "quarter", length_ms = 900000, kept_ms = 26 * 3600000},
}
-- Upper ends of the classes into which waits and runs are counted, in ms; the last one is open.
local ENDS = {250, 500, 750, 1000, 1500, 2000, 3000, 5000, 7500, 10000, 15000, 20000, 30000, 45000,
    60000, 90000, 120000, 300000, 600000, 1800000}

local function slot_key(series, now)
    return P .. "counts:" .. series.name .. ":" .. string.format("%d", math.floor(now / series.length_ms))
end

local function count(now, what, by)
    if by == 0 then return end
    redis.call("HINCRBY", P .. "totals", what, by)
    for _, series in ipairs(SERIES) do
        local slot = slot_key(series, now)
        if redis.call("HINCRBY", slot, what, by) == by then
            redis.call("PEXPIRE", slot, series.kept_ms)
        end
    end
end

local function count_time(now, what, ms)
    local class = #ENDS
    for at = #ENDS, 1, -1 do
        if ms <= ENDS[at] then class = at - 1 end
    end
    count(now, what .. ":" .. class, 1)
end

local function is_of_gateway(cause)
    for _, start in ipairs({"ask_", "gateway_", "agent_"}) do
        if string.sub(cause, 1, #start) == start then return true end
    end
    return false
end

-- An attempt failed: how often in a row, and what the gateway said last.
local function count_failure(now, cause)
    count(now, "failed", 1)
    redis.call("HINCRBY", P .. "asking", "failures", 1)
    redis.call("HSET", P .. "asking", "cause", cause, "failed_at", now)
    if is_of_gateway(cause) then redis.call("HSET", P .. "asking", "error", cause) end
end

-- An agent answered: the gateway is well.
local function count_answer(now, agent, tokens_in, tokens_out)
    redis.call("HSET", P .. "asking", "answered_at", now, "failures", 0)
    redis.call("HDEL", P .. "asking", "error")
    count(now, "in", tonumber(tokens_in))
    count(now, "out", tonumber(tokens_out))
    count(now, "tokens:" .. agent, tonumber(tokens_in) + tonumber(tokens_out))
end
