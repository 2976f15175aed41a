-- What every step shares, part one: the keys. KEYS[1] is the account's prefix.
--
-- Keys, all below the prefix (its hash tag keeps an account on one node of a cluster):
--   layout                 string  number of this layout
--   limits                 hash    cap, agent_cap: turns at once, over all and per agent
--   mailbox:{conversation} hash    agent, n0..n3 (deliveries by class), line_class while in line,
--                                  joined_at: since when it waits there,
--                                  token, delivery, worker, claimed_at while claimed,
--                                  wrote_at: when its journal was written, by its machine's clock,
--                                  pinned: a head that an attempt has begun, rung_at, ring_wait
--   mail:{conversation}    zset    "{creation time}|{delivery}" by createdAt: ties in row order
--   delivery:{delivery}    hash    the entry, state, counters, journal, due, cause, strikes,
--                                  carried: 1 when it runs although its row may be marked,
--                                  unlisted: 1 when its row is marked, so it is not listed,
--                                  paid: 1 when its answer is stored, so it needs no agent
--   story:{delivery}       list    "{ms}|{word}|{detail}", the newest last; for people
--   row:{notification}     hash    newest createdAt seen, its delivery, open deliveries, key_user,
--                                  outcome; with an expiry it is the tombstone
--   seen:{conversation}    string  createdAt of the newest message that a concluded turn showed
--   line:{class}           zset    agents by their longest wait
--   line:{class}:{agent}   zset    conversations by the time their head was put
--   paid                   zset    conversations in line whose head needs no agent, by the same
--   claims                 zset    claimed conversations by the end of their lease
--   claims:{agent}         set     the same by agent, without the paid ones
--   handed:{token}         string  the conversation that a claim with this token got
--   settled:{token}        string  whom the settling of this token rang, for a minute
--   resting                zset    conversations by the time their head is due
--   lost                   zset    conversations whose last ask was lost after it was sent
--   open                   zset    every unsettled delivery by the time it was put
--   audited                string  how many of them the last audit had behind it when it ended
--   dead                   zset    dead deliveries by the time they died
--   deaths:{cause}         zset    conversations by their last death of this cause, for a minute
--   marking                hash    notification -> entry: rows being marked without a claim
--   paused                 hash    "all", "agent:{id}", "conversation:{id}" -> when, in ms
--   rests                  zset    agents by the end of their rest
--   rest:{agent}           hash    cause, since, level: how often it had to rest in a row
--   circuit                hash    state (open or trial), cause, since, failures, probe_at,
--                                  trial: the token of the one ask that is tried, trial_at, asked_at,
--                                  tried: the agent that it asks; no key when closed
--   stop                   string  why the backend must not be called; expires
--   pass:{hash}            string  whose turn a session key belongs to; only when bare keys are
--                                  accepted, for hours
--   turns                  string  claims granted so far
--   heartbeats             zset    agents by when their next heartbeat is due
--   heartbeat_every        hash    agent -> its interval in ms
--   heartbeat_seen         hash    agent -> what its last heartbeat could act on
--   heartbeat_last         hash    agent -> when its last heartbeat ended, in ms
--   totals                 hash    what happened since this store began (see counts.lua)
--   counts:{series}:{n}    hash    the same of one slot of time: minutes, quarters of an hour
--   asking                 hash    answered_at, error, cause, failed_at, failures in a row
--   workers                zset    worker processes by their last pulse
--   worker_facts           hash    worker -> JSON {threads, version}
--   report                 string  JSON: how the leading runtime finds itself; expires soon
--   restart                string  the last call to all processes to end and be started again
--   upgrade_tried          string  initiatedAt of the upgrade for which they ended last
--   roster                 string  JSON: the crew as the leader heard of it last
--   swept_at               string  when the last sweep was
--   leader                 string  the runtime that leads, expiring with its lease
--   runtimes               zset    runtimes by when they do not count as alive any more
--   term                   string  how often the lead has changed hands
local P = KEYS[1]
local CLASSES = 4
local DEFAULT_CAP, DEFAULT_AGENT_CAP = 10, 5
local LONGEST_STORY = 80

local function now_ms()
    local time = redis.call("TIME")
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function mailbox_key(conversation) return P .. "mailbox:" .. conversation end
local function mail_key(conversation) return P .. "mail:" .. conversation end
local function delivery_key(delivery) return P .. "delivery:" .. delivery end
local function story_key(delivery) return P .. "story:" .. delivery end
local function agent_of(conversation) return string.match(conversation, "^(.-):") or "" end
local function seen_key(conversation) return P .. "seen:" .. conversation end
local function row_key(notification) return P .. "row:" .. notification end

local function limits(cap, agent_cap)
    local found = redis.call("HMGET", P .. "limits", "cap", "agent_cap")
    return tonumber(found[1] or cap) or DEFAULT_CAP,
        tonumber(found[2] or agent_cap) or DEFAULT_AGENT_CAP
end

local function is_of_type(key, wanted)
    local found = redis.call("TYPE", key).ok
    return found == "none" or found == wanted
end

-- A step of a runtime that leads no more must change nothing. Term 0 is for those who need no lead.
local function is_of_the_past(term)
    return tonumber(term) > 0 and redis.call("GET", P .. "term") ~= term
end

local function holds(conversation, token)
    return redis.call("HGET", mailbox_key(conversation), "token") == token
end

local function tell(delivery, now, word, detail)
    local length = redis.call("RPUSH", story_key(delivery),
        string.format("%d|%s|%s", now, word, detail or ""))
    if length > LONGEST_STORY then redis.call("LTRIM", story_key(delivery), -LONGEST_STORY, -1) end
end
