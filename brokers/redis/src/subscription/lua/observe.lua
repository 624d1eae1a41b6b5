-- How the group stands in each stream: {entries that were not read, or -1; age in ms of the oldest that is not acknowledged, or -1}.
-- KEYS: streams. ARGV: group.
local function oldest_of(key, group)
    if group['pending'] > 0 then return redis.call('XPENDING', key, ARGV[1])[2] end
    -- A server that lost count of the group does not tell the lag.
    if group['lag'] == 0 then return end
    local waiting = redis.call('XRANGE', key, '(' .. group['last-delivered-id'], '+', 'COUNT', 1)[1]
    return waiting and waiting[1]
end

local function age_of(id)
    local time = redis.call('TIME')
    return math.max(time[1] * 1000 + math.floor(time[2] / 1000) - id:match('^(%d+)'), 0)
end

local function stands(key)
    for _, reply in ipairs(info('GROUPS', key)) do
        local group = fields_of(reply)
        if group['name'] == ARGV[1] then
            local oldest = oldest_of(key, group)
            return {group['lag'] or -1, oldest and age_of(oldest) or -1}
        end
    end
    return {-1, -1}
end

local answers = {}
for _, key in ipairs(KEYS) do answers[#answers + 1] = stands(key) end
return answers
