-- Takes or renews a numbered slot, the lowest that is free: {slot, or -1 if another one has it; how many slots are taken}.
-- KEYS: hash of slots. ARGV: token, period in ms, slot to renew, or -1.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local taken, members = {}, 0
local slots = redis.call('HGETALL', KEYS[1])
for at = 1, #slots, 2 do
    local token, over = slots[at + 1]:match('^(%S+) (%d+)$')
    if over and tonumber(over) > now then
        taken[tonumber(slots[at])] = token
        members = members + 1
    else
        redis.call('HDEL', KEYS[1], slots[at])
    end
end
local slot = tonumber(ARGV[3])
if slot < 0 then
    slot = 0
    while taken[slot] do slot = slot + 1 end
elseif taken[slot] and taken[slot] ~= ARGV[1] then
    return {-1, members}
end
if not taken[slot] then members = members + 1 end
redis.call('HSET', KEYS[1], slot, ARGV[1] .. ' ' .. string.format('%d', now + ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {slot, members}
