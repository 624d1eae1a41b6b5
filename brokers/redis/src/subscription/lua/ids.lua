-- What `XINFO` answers, by name.
local function fields_of(reply)
    local fields = {}
    for at = 1, #reply, 2 do fields[reply[at]] = reply[at + 1] end
    return fields
end
-- What `XINFO` answers of a key; nothing if there is no such key.
local function info(what, key)
    local reply = redis.pcall('XINFO', what, key)
    return reply.err and {} or reply
end
-- Whether one id is lower than another. Their parts are compared as texts, because Lua counts no further than 2^53.
local function before(one, other)
    local function less(part, than) return #part < #than or #part == #than and part < than end
    local ms, number = one:match('^(%d+)-(%d+)$')
    local other_ms, other_number = other:match('^(%d+)-(%d+)$')
    if ms ~= other_ms then return less(ms, other_ms) end
    return less(number, other_number)
end
