-- How the group stands: {entries that were not read, or -1; age in ms of the oldest that is not acknowledged, or -1}.
-- KEYS: stream. ARGV: group.
local lag, last
for _, reply in ipairs(info('GROUPS', KEYS[1])) do
    local fields = fields_of(reply)
    if fields['name'] == ARGV[1] then lag, last = fields['lag'], fields['last-delivered-id'] end
end
if not last then return {-1, -1} end
local oldest = redis.call('XPENDING', KEYS[1], ARGV[1])[2]
if not oldest then
    local waiting = redis.call('XRANGE', KEYS[1], '(' .. last, '+', 'COUNT', 1)[1]
    oldest = waiting and waiting[1]
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return {lag or -1, oldest and math.max(now - oldest:match('^(%d+)'), 0) or -1}
