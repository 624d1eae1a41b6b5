-- How many entries each stream dropped before the group read them, since this was asked the last time; below zero: so many at most.
-- KEYS: hash of counts that are known to be right, streams. ARGV: group.
--
-- The group counts what it has read, and the stream what was ever added. They can be compared where no entry that is kept lies between
-- what was read and what is kept. The count of the group is then set right, so that each entry is missed once.
--
-- A server that has read its file, or was a replica, knows what the group has read, but counts too little of it. It is another run of a
-- server than that which set the count right, or found it so.
local server = redis.pcall('INFO', 'server')
-- A user who may not ask: the count is believed.
local run = type(server) == 'string' and server:match('run_id:(%x+)') or ''

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
    if last == '0-0' then
        -- A group that has read nothing yet misses nothing.
    elseif last == stream['last-generated-id'] then
        behind = added
    elseif kept > 0 and before(last, stream['first-entry'][1]) then
        behind = added - kept
    else
        return 0
    end
    local known = run == '' or redis.call('HGET', KEYS[1], key) == run
    if not known then redis.call('HSET', KEYS[1], key, run) end
    local read = group['entries-read']
    if not behind or read == behind then return 0 end
    redis.call('XGROUP', 'SETID', key, ARGV[1], last, 'ENTRIESREAD', behind)
    local count = read and math.max(math.min(behind - read, added - kept), 0) or 0
    return known and count or -count
end

local answers = {}
for at = 2, #KEYS do answers[#answers + 1] = missed(KEYS[at]) end
return answers
