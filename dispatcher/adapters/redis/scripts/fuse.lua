-- Ask whether a claimed delivery may die of a cause, or whether so many die of it that the gateway
-- is to blame: then the circuit opens instead.
--
-- KEYS[1]  prefix
-- ARGV[1]  conversation
-- ARGV[2]  token
-- ARGV[3]  cause
-- ARGV[4]  window_ms     how long a death is remembered
-- ARGV[5]  most          so many mailboxes may die of one cause within the window
-- ARGV[6]  first_ms      how long the circuit stays open at first
-- ARGV[7]  longest_ms    and at most
--
-- Returns  1 when it may die, 2 when the circuit is open instead, 0 when the claim is lost
--
-- Safe to run twice: a mailbox counts once.
if not holds(ARGV[1], ARGV[2]) then return 0 end
local now, deaths = now_ms(), P .. "deaths:" .. ARGV[3]
redis.call("ZREMRANGEBYSCORE", deaths, "-inf", now - ARGV[4])
local others = redis.call("ZCARD", deaths)
if redis.call("ZSCORE", deaths, ARGV[1]) then others = others - 1 end
if others >= tonumber(ARGV[5]) then
    open_circuit("fuse_" .. ARGV[3], ARGV[2], now, 0, ARGV[6], ARGV[7])
    tell(redis.call("HGET", mailbox_key(ARGV[1]), "delivery"), now, "spared", ARGV[3])
    return 2
end
redis.call("ZADD", deaths, now, ARGV[1])
redis.call("PEXPIRE", deaths, ARGV[4])
return 1
