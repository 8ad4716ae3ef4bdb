-- KEYS: the delivery. ARGV: expires_at, token, grace. Returns 0 if another receiver holds the lease, or has completed the delivery.
local expires_at, mine, grace = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local open, token, ends = unpack(redis.call('HMGET', KEYS[1], 'open', 'token', 'ends'))
if not token then
  -- The server has lost its data since. If `expires_at` has passed, this deletes the key at once.
  redis.call('HSET', KEYS[1], 'token', mine)
  redis.call('PEXPIREAT', KEYS[1], expires_at + grace)
elseif token == mine then
  -- Held by this caller, or completed by it: then the answer was lost, and the caller sent it again.
  -- Deleting fields takes no memory, so it works on a full server.
  redis.call('HDEL', KEYS[1], 'open', 'ends')
elseif open and not ends then
  -- Released by a later holder. On a full server, the token stays.
  redis.pcall('HSET', KEYS[1], 'token', mine)
  redis.call('HDEL', KEYS[1], 'open')
else
  return 0
end
return 1
