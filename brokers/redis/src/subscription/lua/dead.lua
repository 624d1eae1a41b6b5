-- Writes a dead letter and acknowledges its entry: 1 done, 0 the entry is not ours any more, 2 the stream does not have it any more.
-- KEYS: stream, stream of dead letters. ARGV: group, consumer, id, fields of the letter.
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1)[1]
if not pending or pending[2] ~= ARGV[2] then return 0 end
local entry = redis.call('XRANGE', KEYS[1], ARGV[3], ARGV[3])[1]
if not entry then return 2 end
local letter = {'XADD', KEYS[2], '*'}
for at = 4, #ARGV do letter[#letter + 1] = ARGV[at] end
-- Lua takes no more than some 8,000 arguments: of an entry with thousands of fields the first are kept.
for at = 1, math.min(#entry[2], 7000) do letter[#letter + 1] = entry[2][at] end
redis.call(unpack(letter))
redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
return 1
