-- How many of the streams have something that the group has not read, or not acknowledged. KEYS: streams. ARGV: group.
local function fields_of(flat)
    local fields = {}
    for at = 1, #flat, 2 do fields[flat[at]] = flat[at + 1] end
    return fields
end
local unread = 0
for _, key in ipairs(KEYS) do
    if redis.call('EXISTS', key) == 1 then
        local last, is_done = fields_of(redis.call('XINFO', 'STREAM', key))['last-generated-id'], false
        for _, group in ipairs(redis.call('XINFO', 'GROUPS', key)) do
            local group = fields_of(group)
            if group['name'] == ARGV[1] then is_done = group['pending'] == 0 and group['last-delivered-id'] == last end
        end
        if not is_done then unread = unread + 1 end
    end
end
return unread
