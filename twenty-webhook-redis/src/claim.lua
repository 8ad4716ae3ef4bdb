-- KEYS: the delivery. ARGV: until, token, lease, grace; in milliseconds, but for the token.
-- The entry is a hash with the field `seen`. While it is in progress, it has `token` and `ends`; when it was released, `token` alone.
local till, mine, lease, grace = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if till < now then return {'expired', 0} end

local function remember_through(instant)
  if redis.call('PTTL', KEYS[1]) < instant + grace - now then
    redis.call('PEXPIREAT', KEYS[1], instant + grace)
  end
end

local seen, token, ends = unpack(redis.call('HMGET', KEYS[1], 'seen', 'token', 'ends'))
ends = tonumber(ends or 0)
if seen and not token then
  remember_through(till)
  return {'completed', 0}
elseif token and token ~= mine and now <= ends then
  remember_through(till)
  return {'in_progress', ends - now}
elseif token ~= mine then
  ends = now + lease
  redis.call('HSET', KEYS[1], 'seen', 1, 'token', mine, 'ends', ends)
end
-- Also when the token is ours already: the answer to this very claim was lost, and it was sent again.
remember_through(math.max(till, ends))
return {'new', 0}
