-- Take a dead letter back as a delivery with fresh attempts.
--
-- KEYS[1]  prefix
-- ARGV[1]  delivery
-- ARGV[2]  journal    where it goes on, as JSON text; empty to start over
-- ARGV[3]  paid       "1" when the journal holds an answer that only has to be written back
--
-- Returns  1 when it lives again, 0 when it is no dead letter
--
-- Safe to run twice: the second time it is not dead any more.
local id, delivery = ARGV[1], delivery_key(ARGV[1])
if redis.call("ZREM", P .. "dead", id) == 0 then return 0 end
local now = now_ms()
redis.call("HDEL", delivery, "due", "cause", "died_at", "attempts", "waits", "unanswered", "looks",
    "strikes", "journal")
-- Its row is marked by now, so it runs as one that is carried.
redis.call("HSET", delivery, "state", "queued", "carried", 1, "unlisted", 1, "paid", ARGV[3], "put_at", now)
if ARGV[2] ~= "" then redis.call("HSET", delivery, "journal", ARGV[2]) end
local facts = redis.call("HMGET", delivery, "notification", "created_at")
redis.call("HSETNX", row_key(facts[1]), "newest", facts[2])
redis.call("HSETNX", row_key(facts[1]), "newest_id", id)
tell(id, now, "revived", ARGV[2] == "" and "fresh" or "")
take_in(id, now)
return 1
