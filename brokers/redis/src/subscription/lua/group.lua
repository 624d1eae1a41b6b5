-- Makes the group of an endpoint, unless it is there. For each stream: 0 it was there, 1 it begins at the oldest entry, 2 it goes on where
-- a former one is.
-- KEYS: streams. ARGV: group, consumer, idle time of what a former group has given out, former groups.
local function last_of(key, group)
    for _, reply in ipairs(info('GROUPS', key)) do
        local found = fields_of(reply)
        if found['name'] == group then return found['last-delivered-id'] end
    end
end

-- It goes on where the former group is, with what that has given out.
local function follow(key, former, last)
    redis.call('XGROUP', 'CREATE', key, ARGV[1], last)
    local from = '-'
    repeat
        local page = redis.call('XPENDING', key, former, from, '+', 1000)
        for _, entry in ipairs(page) do
            redis.call('XCLAIM', key, ARGV[1], ARGV[2], 0, entry[1], 'IDLE', ARGV[3], 'RETRYCOUNT', entry[4], 'FORCE', 'JUSTID')
            from = '(' .. entry[1]
        end
    until #page == 0
end

local function make(key)
    if last_of(key, ARGV[1]) then return 0 end
    for at = 4, #ARGV do
        local last = last_of(key, ARGV[at])
        if last then
            follow(key, ARGV[at], last)
            return 2
        end
    end
    -- What was dropped before there was a group counts as read: the group misses what is dropped from now on.
    local stream = fields_of(info('STREAM', key))
    local dropped = (stream['entries-added'] or 0) - (stream['length'] or 0)
    redis.call('XGROUP', 'CREATE', key, ARGV[1], '0', 'MKSTREAM', 'ENTRIESREAD', dropped)
    return 1
end

local answers = {}
for _, key in ipairs(KEYS) do answers[#answers + 1] = make(key) end
return answers
