-- Reads from the partitions that are ours. {entries, as `XREADGROUP` answers; where there are none, the last id of each stream; how many
-- partitions are not ours any more}.
-- KEYS: hash of leases, streams. ARGV: group, consumer, token, how many.
local room, read, lost = tonumber(ARGV[4]), {}, 0
for at = 2, #KEYS do
    if room <= 0 then break end
    if redis.call('HGET', KEYS[1], KEYS[at]) == ARGV[3] then
        local count = math.max(1, math.floor(room / (#KEYS - at + 1)))
        local found = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', count, 'STREAMS', KEYS[at], '>')
        if found then
            read[#read + 1] = found[1]
            room = room - #found[1][2]
        end
    else
        lost = lost + 1
    end
end
local last = {}
if #read == 0 then
    for at = 2, #KEYS do last[#last + 1] = fields_of(info('STREAM', KEYS[at]))['last-generated-id'] or '0-0' end
end
return {read, last, lost}
