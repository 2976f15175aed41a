-- Give the claimed delivery the identity of a newer message of its row, before anything is asked.
--
-- Deliveries of that message and of older ones of the row, which wait in the same mailbox, are
-- absorbed: one turn answers all of them. It runs from now on although its row may be marked: the
-- mark of an older message can arrive late, from a worker that died long ago.
--
-- KEYS[1]  prefix
-- ARGV[1]  conversation
-- ARGV[2]  token
-- ARGV[3]  delivery      the new identity
-- ARGV[4]  message       the newer message, or "-"
-- ARGV[5]  created_at    createdAt of the row now, in ms
-- ARGV[6]  creation_time _creationTime of the row, in ms, as text
--
-- Returns  1 when the delivery has the new identity, 0 when the claim is lost, 2 when the newer
--          message is over already: nothing was changed
--
-- Safe to run twice: the second time the delivery has it already.
if not holds(ARGV[1], ARGV[2]) then return 0 end
local mailbox = mailbox_key(ARGV[1])
local old, new = redis.call("HGET", mailbox, "delivery"), ARGV[3]
if old == new then return 1 end
local over = redis.call("HMGET", row_key(redis.call("HGET", delivery_key(old), "notification")),
    "newest_id", "outcome")
if over[1] == new and over[2] and redis.call("EXISTS", delivery_key(new)) == 0 then return 2 end

local notification = redis.call("HGET", delivery_key(old), "notification")
local row = row_key(notification)
local put_at = redis.call("HGET", delivery_key(old), "put_at")
for _, place in ipairs(redis.call("ZRANGEBYSCORE", mail_key(ARGV[1]), "-inf", ARGV[5])) do
    local twin = id_of(place)
    if twin ~= old and string.sub(twin, 1, #notification + 1) == notification .. ":" then
        take_out(ARGV[1], twin)
        redis.call("DEL", delivery_key(twin), story_key(twin))
        redis.call("HINCRBY", row, "open", -1)
    end
end
-- A dead letter of the newer message gets its answer now.
if redis.call("ZREM", P .. "dead", new) == 1 then redis.call("DEL", delivery_key(new)) end

local place = ARGV[6] .. "|" .. new
redis.call("ZREM", mail_key(ARGV[1]), redis.call("HGET", delivery_key(old), "place"))
redis.call("ZADD", mail_key(ARGV[1]), ARGV[5], place)
redis.call("ZREM", P .. "open", old)
redis.call("ZADD", P .. "open", put_at, new)
redis.call("RENAME", delivery_key(old), delivery_key(new))
tell(old, now_ms(), "rebound", ARGV[4])
redis.call("RENAME", story_key(old), story_key(new))
redis.call("PERSIST", story_key(new))
redis.call("HSET", delivery_key(new), "message", ARGV[4], "created_at", ARGV[5],
    "creation_time", ARGV[6], "place", place, "carried", 1)
redis.call("HSET", mailbox, "delivery", new)
if redis.call("HGET", mailbox, "pinned") == old then redis.call("HSET", mailbox, "pinned", new) end
if redis.call("HGET", row, "key_user") == old then redis.call("HSET", row, "key_user", new) end
if tonumber(redis.call("HGET", row, "newest")) < tonumber(ARGV[5]) then
    redis.call("HSET", row, "newest", ARGV[5])
end
if redis.call("HGET", row, "newest") == ARGV[5] then redis.call("HSET", row, "newest_id", new) end
return 1
