-- How many entries each stream dropped before the group read them, since this was asked the last time.
-- KEYS: hash of the server that counted for each stream, streams. ARGV: group.
--
-- The group counts what it has read, and the stream what was ever added. They can be compared where no entry that is kept lies between
-- what was read and what is kept. The count of the group is then set right, so that each entry is missed once.
--
-- A replica and the file have an older count of what was read: after a failover or a restart it says nothing, and is set right.
local server = redis.pcall('INFO', 'server')
local run = type(server) == 'string' and server:match('run_id:(%x+)') or 'unknown'

-- Whether this server has counted all that the group read; from now on it does.
local function counts(key)
    local is_known = redis.call('HGET', KEYS[1], key) == run
    if not is_known then redis.call('HSET', KEYS[1], key, run) end
    return is_known
end

local function missed(key)
    local stream = fields_of(info('STREAM', key))
    local group
    for _, reply in ipairs(info('GROUPS', key)) do
        local fields = fields_of(reply)
        if fields['name'] == ARGV[1] then group = fields end
    end
    if not group then return 0 end
    local last, added, kept = group['last-delivered-id'], stream['entries-added'], stream['length']
    local behind
    if last == stream['last-generated-id'] then
        behind = added
    elseif kept > 0 and before(last, stream['first-entry'][1]) then
        behind = added - kept
    else
        return 0
    end
    local read, is_known = group['entries-read'], counts(key)
    -- A group that has read nothing yet misses nothing.
    if last == '0-0' or read == behind then return 0 end
    redis.call('XGROUP', 'SETID', key, ARGV[1], last, 'ENTRIESREAD', behind)
    return read and is_known and math.max(behind - read, 0) or 0
end

local answers = {}
for at = 2, #KEYS do answers[#answers + 1] = missed(KEYS[at]) end
return answers
