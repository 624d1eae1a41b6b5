-- Gives a slot back, if it is still ours. KEYS: hash of slots. ARGV: token, slot.
local value = redis.call('HGET', KEYS[1], ARGV[2])
if value and value:match('^(%S+) ') == ARGV[1] then redis.call('HDEL', KEYS[1], ARGV[2]) end
return 0
