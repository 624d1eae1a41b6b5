-- How many entries each stream dropped before the group read them, since this was asked the last time; below zero: so many at most.
-- KEYS: hash of the runs of the server that count, streams. ARGV: group.
--
-- The group counts what it has read, and the stream what was ever added. They can be compared where no entry that is kept lies between
-- what was read and what is kept. The count of the group is then set right, so that each entry is missed once. A replica, and a server
-- that was restarted, know how far the group has come and count too little of it: there the count begins anew, and is told as the most that
-- may be missed.
local info_of_server = redis.pcall('INFO', 'server')
local run = type(info_of_server) == 'string' and info_of_server:match('run_id:(%x+)') or 'unknown'
local runs = hash(KEYS[1])

local function missed(key)
    local stream = fields_of(info('STREAM', key))
    local group
    for _, reply in ipairs(info('GROUPS', key)) do
        local fields = fields_of(reply)
        if fields['name'] == ARGV[1] then group = fields end
    end
    if not group then return 0 end
    local last, added, kept = group['last-delivered-id'], stream['entries-added'], stream['length']
    local counts = runs[key] == run
    if not counts then redis.call('HSET', KEYS[1], key, run) end
    local behind = -1
    if kept == 0 or last == stream['last-generated-id'] then
        behind = added
    elseif before(last, stream['first-entry'][1]) then
        behind = added - kept
    elseif counts then
        return 0
    end
    local read = group['entries-read']
    if read ~= behind then redis.call('XGROUP', 'SETID', key, ARGV[1], last, 'ENTRIESREAD', behind) end
    local missed = read and math.max(math.min(behind - read, added - kept), 0) or 0
    return counts and missed or -missed
end

local answers = {}
for at = 2, #KEYS do answers[#answers + 1] = missed(KEYS[at]) end
return answers
