-- Claims what nobody has held for a while: {where to go on; entries with how often each was given out; ids whose entries are gone}.
-- KEYS: stream, and the hash of leases where the stream must be ours. ARGV: group, consumer, idle time in ms, from which id, how many, token.
if KEYS[2] and redis.call('HGET', KEYS[2], KEYS[1]) ~= ARGV[6] then return {'0-0', {}, {}} end
local claimed = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], 'COUNT', ARGV[5])
local rows = {}
for at, entry in ipairs(claimed[2]) do
    local pending = redis.call('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1)
    rows[at] = {entry[1], entry[2], pending[1][4]}
end
return {claimed[1], rows, claimed[3]}
