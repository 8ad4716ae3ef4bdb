-- KEYS: the delivery. ARGV: expires_at, token, lease, grace. All but the token are in milliseconds.
-- The entry is a hash with the field `token`. While a receiver holds the lease, it also has `open` and `ends`; after a release, `open`.
local expires_at, mine, lease, grace = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if expires_at < now then return {'expired', 0} end

local function remember_through(time)
  if redis.call('PTTL', KEYS[1]) < time + grace - now then
    redis.call('PEXPIREAT', KEYS[1], time + grace)
  end
end

local open, token, ends = unpack(redis.call('HMGET', KEYS[1], 'open', 'token', 'ends'))
ends = tonumber(ends or 0)
if token and not open then
  remember_through(expires_at)
  return {'completed', 0}
elseif token and token ~= mine and now <= ends then
  remember_through(expires_at)
  return {'in_progress', ends - now}
elseif token ~= mine then
  ends = now + lease
  redis.call('HSET', KEYS[1], 'open', 1, 'token', mine, 'ends', ends)
end
-- Also if the token is this caller's: then the answer to this claim was lost, and the caller sent it again.
remember_through(math.max(expires_at, ends))
return {'new', 0}
