-- How many entries each stream dropped before the group read them, since this was asked the last time.
-- KEYS: streams. ARGV: group.
--
-- The group counts what it has read, and the stream what was ever added. They can be compared where no entry that is kept lies between
-- what was read and what is kept. The count of the group is then set right, so that each entry is missed once.
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
    local read = group['entries-read']
    -- A group that has read nothing yet misses nothing.
    if last == '0-0' or read == behind then return 0 end
    redis.call('XGROUP', 'SETID', key, ARGV[1], last, 'ENTRIESREAD', behind)
    return read and math.max(behind - read, 0) or 0
end

local answers = {}
for _, key in ipairs(KEYS) do answers[#answers + 1] = missed(key) end
return answers
