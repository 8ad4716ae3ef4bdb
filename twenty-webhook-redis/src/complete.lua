-- KEYS: the delivery. ARGV: until, token, grace. Returns 0 if another holds it.
local till, mine, grace = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local seen, token, ends = unpack(redis.call('HMGET', KEYS[1], 'seen', 'token', 'ends'))
if token == mine or (token and not ends) then
  -- Ours, or released by the holder after us.
  -- Takes no memory, so a server that is full can still be told.
  redis.call('HDEL', KEYS[1], 'token', 'ends')
elseif token then
  return 0
elseif not seen then
  -- The server has lost its memory meanwhile. If `until` has passed, this deletes the key at once.
  redis.call('HSET', KEYS[1], 'seen', 1)
  redis.call('PEXPIREAT', KEYS[1], till + grace)
end
return 1
