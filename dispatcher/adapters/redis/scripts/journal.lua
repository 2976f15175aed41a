-- Write how far the claimed delivery is. From now on it stays at the head of its mailbox.
--
-- KEYS[1]  prefix
-- ARGV[1]  conversation
-- ARGV[2]  token
-- ARGV[3]  record        the whole journal as JSON text
-- ARGV[4]  uses_row_key  "1" when the row's own id is about to be used as the key of a post
--
-- Returns  {1, newest createdAt known of the row} when written, {0} when the claim is lost
--
-- Safe to run twice: the record is written whole.
if not holds(ARGV[1], ARGV[2]) then return {0} end
local id = redis.call("HGET", mailbox_key(ARGV[1]), "delivery")
local row = row_key(redis.call("HGET", delivery_key(id), "notification"))
redis.call("HSET", delivery_key(id), "journal", ARGV[3])
redis.call("HSET", mailbox_key(ARGV[1]), "pinned", id)
if ARGV[4] == "1" then redis.call("HSETNX", row, "key_user", id) end
return {1, redis.call("HGET", row, "newest")}
