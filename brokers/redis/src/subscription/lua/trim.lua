-- Drops the entries of streams that all groups have acknowledged; what one of them has not read, or not acknowledged, stays.
-- KEYS: streams. ARGV: groups that do not count.
local former = {}
for _, name in ipairs(ARGV) do former[name] = true end

-- The id that comes next; of one that Lua cannot count up, itself.
local function after(id)
    return (id:gsub('%d+$', function(number) return #number < 16 and string.format('%d', number + 1) end))
end

for _, key in ipairs(KEYS) do
    local first
    for _, reply in ipairs(info('GROUPS', key)) do
        local group = fields_of(reply)
        if not former[group['name']] then
            local kept = after(group['last-delivered-id'])
            if group['pending'] > 0 then kept = redis.call('XPENDING', key, group['name'])[2] end
            if not first or before(kept, first) then first = kept end
        end
    end
    if first then redis.call('XTRIM', key, 'MINID', first) end
end
return 0
