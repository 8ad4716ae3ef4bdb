-- release
-- KEYS: the delivery. ARGV: token.
-- Without `ends` the lease has run out. The entry stays, for as long as the longest `until` that it was claimed with: any of those
-- copies may come again. To delete a field takes no memory, so a server that is full can still be told.
if redis.call('HGET', KEYS[1], 'token') == ARGV[1] then redis.call('HDEL', KEYS[1], 'ends') end
