-- Slots are fields of a hash: `token until`, by the server's clock.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Renews a slot, or takes the lowest that is free for -1. It returns the slot, or -1 if another one has it; how many members there
-- are; and their tokens.
local function take_slot(key, token, period, slot)
    local taken, alive, members = {}, {}, 0
    local slots = redis.call('HGETALL', key)
    for at = 1, #slots, 2 do
        local of, over = slots[at + 1]:match('^(%S+) (%d+)$')
        if over and tonumber(over) > now then
            taken[tonumber(slots[at])], alive[of], members = of, true, members + 1
        else
            redis.call('HDEL', key, slots[at])
        end
    end
    if slot < 0 then
        slot = 0
        while taken[slot] do slot = slot + 1 end
    elseif taken[slot] and taken[slot] ~= token then
        return -1, members, alive
    end
    if not taken[slot] then members = members + 1 end
    alive[token] = true
    redis.call('HSET', key, slot, token .. ' ' .. string.format('%d', now + period))
    redis.call('PEXPIRE', key, period)
    return slot, members, alive
end
