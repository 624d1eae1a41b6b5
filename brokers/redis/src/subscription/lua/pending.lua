-- The numbers of the streams in which something is pending that nobody has touched for a while, from 0 on.
-- KEYS: streams. ARGV: group, idle time in ms, and the consumer that has it, or nothing for any.
local found = {}
for at, key in ipairs(KEYS) do
    local query = {'XPENDING', key, ARGV[1], 'IDLE', ARGV[2], '-', '+', 1, ARGV[3]}
    if #redis.call(unpack(query)) > 0 then found[#found + 1] = at - 1 end
end
return found
