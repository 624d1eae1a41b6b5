-- Renews a slot, and takes partitions that nobody has, up to an equal share of them.
-- {the slot, or -1; the share; in how many ms the first of the other slots is over, or -1; for each partition that is ours: its number
-- and its epoch}.
-- KEYS: hash of slots, hash of leases, hash of epochs. ARGV: token, period in ms, slot, streams of the partitions in their order.
--
-- A lease lasts as long as the slot of its owner. Epochs follow the clock, so that they go up also after `FLUSHALL`. Only those who read
-- the same streams share them: a partition must not wait for somebody who does not want it.
local function reads(token) return token:match('^%x+') end

local token = ARGV[1]
local slot, others = take_slot(KEYS[1], token, tonumber(ARGV[2]), tonumber(ARGV[3]))
if slot < 0 then return {slot, 0, -1, {}} end
local members, before, next_end = 1, 0, -1
for other, member in pairs(others) do
    if reads(other) == reads(token) then
        members = members + 1
        if member.slot < slot then before = before + 1 end
    end
    if next_end < 0 or member.over - now < next_end then next_end = member.over - now end
end
local owners, epochs = hash(KEYS[2]), hash(KEYS[3])
local mine, free = {}, {}
for at = 4, #ARGV do
    local owner = owners[ARGV[at]]
    if owner == token then mine[#mine + 1] = at elseif not owner or not others[owner] then free[#free + 1] = at end
end
-- What is left over goes to those with the lowest slots.
local partitions = #ARGV - 3
local share = math.floor(partitions / members) + (before < partitions % members and 1 or 0)
for _, at in ipairs(free) do
    if #mine >= share then break end
    local epoch = string.format('%d', math.max(now, (epochs[ARGV[at]] or 0) + 1))
    redis.call('HSET', KEYS[2], ARGV[at], token)
    redis.call('HSET', KEYS[3], ARGV[at], epoch)
    epochs[ARGV[at]] = epoch
    mine[#mine + 1] = at
end
local owned = {}
for _, at in ipairs(mine) do
    owned[#owned + 1] = at - 4
    owned[#owned + 1] = tonumber(epochs[ARGV[at]] or 0)
end
return {slot, share, next_end, owned}
