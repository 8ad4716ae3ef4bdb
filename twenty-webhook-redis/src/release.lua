-- KEYS: the delivery. ARGV: token.
-- Without `ends` the lease has expired. The entry stays until the latest `expires_at` that it was claimed with, because any of those
-- copies may still arrive. Deleting a field takes no memory, so it works on a full server.
if redis.call('HGET', KEYS[1], 'token') == ARGV[1] then redis.call('HDEL', KEYS[1], 'ends') end
