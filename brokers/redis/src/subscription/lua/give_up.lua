-- Gives partitions up that are ours. KEYS: hash of leases. ARGV: token, streams.
for at = 2, #ARGV do
    if redis.call('HGET', KEYS[1], ARGV[at]) == ARGV[1] then redis.call('HDEL', KEYS[1], ARGV[at]) end
end
return 0
