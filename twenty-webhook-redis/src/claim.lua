-- KEYS: the delivery. ARGV: expires_at, token, lease, grace. All but the token are in milliseconds.
-- The entry is a hash with the field `seen`. While a receiver holds the lease, it also has `token` and `ends`; after a release, only `token`.
local expires_at, mine, lease, grace = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if expires_at < now then return {'expired', 0} end

local function remember_through(time)
  if redis.call('PTTL', KEYS[1]) < time + grace - now then
    redis.call('PEXPIREAT', KEYS[1], time + grace)
  end
end

local seen, token, ends = unpack(redis.call('HMGET', KEYS[1], 'seen', 'token', 'ends'))
ends = tonumber(ends or 0)
if seen and not token then
  remember_through(expires_at)
  return {'completed', 0}
elseif token and token ~= mine and now <= ends then
  remember_through(expires_at)
  return {'in_progress', ends - now}
elseif token ~= mine then
  ends = now + lease
  redis.call('HSET', KEYS[1], 'seen', 1, 'token', mine, 'ends', ends)
end
-- Also if the token is this caller's: then the answer to this claim was lost, and the caller sent it again.
remember_through(math.max(expires_at, ends))
return {'new', 0}
