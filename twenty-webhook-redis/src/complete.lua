-- KEYS: the delivery. ARGV: expires_at, token, grace. Returns 0 if another receiver holds the lease.
local expires_at, mine, grace = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local seen, token, ends = unpack(redis.call('HMGET', KEYS[1], 'seen', 'token', 'ends'))
if token == mine or (token and not ends) then
  -- Held by this caller, or released by a later holder.
  -- Deleting fields takes no memory, so it works on a full server.
  redis.call('HDEL', KEYS[1], 'token', 'ends')
elseif token then
  return 0
elseif not seen then
  -- The server has lost its data since. If `expires_at` has passed, this deletes the key at once.
  redis.call('HSET', KEYS[1], 'seen', 1)
  redis.call('PEXPIREAT', KEYS[1], expires_at + grace)
end
return 1
