-- What is pending for this consumer: {the last id; entries with how often each was given out; ids whose entries are gone}.
-- KEYS: stream. ARGV: group, consumer, after which id, how many.
local read = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', ARGV[4], 'STREAMS', KEYS[1], ARGV[3])
local last, rows, gone = '', {}, {}
for _, entry in ipairs(read and read[1][2] or {}) do
    last = entry[1]
    if entry[2] then
        local pending = redis.call('XPENDING', KEYS[1], ARGV[1], last, last, 1)
        rows[#rows + 1] = {last, entry[2], pending[1][4]}
    else
        redis.call('XACK', KEYS[1], ARGV[1], last)
        gone[#gone + 1] = last
    end
end
return {last, rows, gone}
