-- Tell what was counted in the last slots of a series, the oldest first.
--
-- KEYS[1]  prefix
-- ARGV[1]  series  "minute" or "quarter"
-- ARGV[2]  slots   how many, with the one that runs now
--
-- Returns  {now_ms, length of a slot in ms, for each slot a flat list of fields and values}
local now, chosen = now_ms(), SERIES[1]
for _, series in ipairs(SERIES) do
    if series.name == ARGV[1] then chosen = series end
end
local answer = {now, chosen.length_ms}
for back = ARGV[2] - 1, 0, -1 do
    answer[#answer + 1] = redis.call("HGETALL", slot_key(chosen, now - back * chosen.length_ms))
end
return answer
