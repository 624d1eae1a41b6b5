-- Makes the group of an endpoint, unless it is there: 0 it was there, 1 it begins at the oldest entry, 2 it goes on where a former one is.
-- KEYS: stream. ARGV: group, consumer, idle time of what a former group has given out, former groups.
local function last_of(group)
    for _, reply in ipairs(info('GROUPS', KEYS[1])) do
        local found = fields_of(reply)
        if found['name'] == group then return found['last-delivered-id'] end
    end
end

if last_of(ARGV[1]) then return 0 end
for at = 4, #ARGV do
    local former = ARGV[at]
    local last = last_of(former)
    if last then
        redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], last)
        local from = '-'
        repeat
            local page = redis.call('XPENDING', KEYS[1], former, from, '+', 1000)
            for _, entry in ipairs(page) do
                redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, entry[1], 'IDLE', ARGV[3], 'RETRYCOUNT', entry[4], 'FORCE', 'JUSTID')
                from = '(' .. entry[1]
            end
        until #page == 0
        return 2
    end
end
redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
return 1
