-- Note that a worker process lives, and forget those that have not for long.
--
-- KEYS[1]  prefix
-- ARGV[1]  worker
-- ARGV[2]  facts       JSON {threads, version}; empty when it ends now
-- ARGV[3]  forget_ms   whoever gave no pulse for so long is forgotten
--
-- Returns  how many are known
--
-- Safe to run twice.
local now = now_ms()
local function forget(worker)
    redis.call("ZREM", P .. "workers", worker)
    redis.call("HDEL", P .. "worker_facts", worker)
end
if ARGV[2] == "" then
    forget(ARGV[1])
else
    redis.call("ZADD", P .. "workers", now, ARGV[1])
    redis.call("HSET", P .. "worker_facts", ARGV[1], ARGV[2])
end
for _, worker in ipairs(redis.call("ZRANGEBYSCORE", P .. "workers", "-inf", now - ARGV[3])) do
    forget(worker)
end
return redis.call("ZCARD", P .. "workers")
