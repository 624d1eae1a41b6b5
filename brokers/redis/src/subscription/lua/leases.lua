-- Renews a slot, and takes partitions that nobody has, up to an equal share of them.
-- {the slot, or -1; the share; for each partition that is ours: its number and its epoch}.
-- KEYS: hash of slots, hash of leases, hash of epochs. ARGV: token, period in ms, slot, streams of the partitions in their order.
--
-- A lease lasts as long as the slot of its owner. Epochs follow the clock, so that they go up also after `FLUSHALL`.
local token = ARGV[1]
local slot, members, alive = take_slot(KEYS[1], token, tonumber(ARGV[2]), tonumber(ARGV[3]))
if slot < 0 then return {slot, 0, {}} end
local mine, free = {}, {}
for at = 4, #ARGV do
    local owner = redis.call('HGET', KEYS[2], ARGV[at])
    if owner == token then mine[#mine + 1] = at elseif not owner or not alive[owner] then free[#free + 1] = at end
end
local share = math.ceil((#ARGV - 3) / members)
for _, at in ipairs(free) do
    if #mine >= share then break end
    local epoch = math.max(now, (redis.call('HGET', KEYS[3], ARGV[at]) or 0) + 1)
    redis.call('HSET', KEYS[3], ARGV[at], string.format('%d', epoch))
    redis.call('HSET', KEYS[2], ARGV[at], token)
    mine[#mine + 1] = at
end
local owned = {}
for _, at in ipairs(mine) do
    owned[#owned + 1] = at - 4
    owned[#owned + 1] = tonumber(redis.call('HGET', KEYS[3], ARGV[at]) or 0)
end
return {slot, share, owned}
