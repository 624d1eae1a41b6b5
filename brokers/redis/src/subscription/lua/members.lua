-- Slots are fields of a hash: `token until`, by the server's clock. Tokens of processes that read the same streams begin alike.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Renews a slot, or takes the lowest that is free for -1. It returns the slot, or -1 if another one has it; and which slots the
-- others have until when, by their tokens.
local function take_slot(key, token, period, slot)
    local taken, others, ends = {}, {}, now + period
    local slots = redis.call('HGETALL', key)
    for at = 1, #slots, 2 do
        local of, over = slots[at + 1]:match('^(%S+) (%d+)$')
        if over and tonumber(over) > now then
            local number, over = tonumber(slots[at]), tonumber(over)
            taken[number], others[of], ends = of, {slot = number, over = over}, math.max(ends, over)
        else
            redis.call('HDEL', key, slots[at])
        end
    end
    if slot < 0 then
        slot = 0
        while taken[slot] do slot = slot + 1 end
    elseif taken[slot] and taken[slot] ~= token then
        return -1, others
    end
    others[token] = nil
    redis.call('HSET', key, slot, token .. ' ' .. string.format('%d', now + period))
    redis.call('PEXPIREAT', key, string.format('%d', ends))
    return slot, others
end
