-- What is known of a stream.
-- KEYS    1 <stream>:o   2 <stream>:e   3 <stream>:r   4 <stream>:b
-- ARGV    1 most replicas
-- Output  {now, origin, highest epoch, {node, boot, epoch, hops, upstream, lease ms, ...}, backup}
-- Invariant: nothing that expired is answered, and nothing is written.

local now = clock_ms()
local max = tonumber(ARGV[1])

local fields
if redis.call('HLEN', KEYS[3]) <= max then
  fields = redis.call('HGETALL', KEYS[3])
else
  fields = redis.call('HSCAN', KEYS[3], 0, 'COUNT', max)[2]
end
local replicas = {}
for at = 1, math.min(#fields, 2 * max), 2 do
  local node, value = fields[at], fields[at + 1]
  if #node <= 64 and #value <= 256 then
    local expires, boot, epoch, hops, upstream = string.match(value, '^(%d+)|([^|]*)|(%d+)|(%d+)|([^|]*)$')
    local left = (whole(expires) or 0) - now
    if left > 0 and left <= MAX_LEASE_MS then
      for _, field in ipairs({node, boot, epoch, hops, upstream, print_whole(left)}) do
        replicas[#replicas + 1] = field
      end
    end
  end
end

local backup = {}
local held = redis.call('HMGET', KEYS[4], 'node', 'boot', 'publisher', 'expires')
local left = (whole(held[4]) or 0) - now
if left > 0 and left <= MAX_LEASE_MS and is_short(held[1]) and is_short(held[2]) and is_short(held[3]) then
  backup = {held[1], held[2], held[3], print_whole(left)}
end

local origin = print_origin(read_origin(KEYS[1], now))
return {print_whole(now), origin, print_whole(read_highest(KEYS[2], now)), replicas, backup}
