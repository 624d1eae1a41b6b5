-- The fields of a hash.
local function hash(key)
    local values, reply = {}, redis.call('HGETALL', key)
    for at = 1, #reply, 2 do values[reply[at]] = reply[at + 1] end
    return values
end
