-- Lets the locks of entries begin anew, or end, which is what an idle time of a lock does.
-- For each entry: 1 done, 0 it is not ours any more, 2 the stream does not have it any more.
-- KEYS: stream. ARGV: group, consumer, idle time in ms, ids.
local ours = {}
for at = 4, #ARGV do
    local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[at], ARGV[at], 1)[1]
    if pending and pending[2] == ARGV[2] then ours[#ours + 1] = ARGV[at] end
end
local answers = {}
for _, id in ipairs(ours) do answers[id] = 2 end
if #ours > 0 then
    local claim = {'XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0}
    for _, id in ipairs(ours) do claim[#claim + 1] = id end
    for _, word in ipairs({'IDLE', ARGV[3], 'JUSTID'}) do claim[#claim + 1] = word end
    for _, id in ipairs(redis.call(unpack(claim))) do answers[id] = 1 end
end
local result = {}
for at = 4, #ARGV do result[#result + 1] = answers[ARGV[at]] or 0 end
return result
