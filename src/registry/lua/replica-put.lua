-- Keeps a replica in a stream's list, and sweeps out the expired when one is added.
-- KEYS    1 <stream>:r
-- ARGV    1 node   2 boot   3 epoch   4 hops   5 upstream   6 lease ms   7 most replicas
-- Output  {now, 'put'} | {now, 'stale'} | {now, 'full'}
-- Invariant: an earlier boot's late word never replaces a later one's of a higher epoch; the list is bounded.

local now = clock_ms()
local node, boot, lease = ARGV[1], ARGV[2], tonumber(ARGV[6])

local held = redis.call('HGET', KEYS[1], node)
if held and #held <= 256 then
  local expires, holder, epoch = string.match(held, '^(%d+)|([^|]*)|(%d+)|')
  local stands = (whole(expires) or 0) > now
  if stands and holder ~= boot and is_plausible(whole(epoch), now) and whole(epoch) > tonumber(ARGV[3]) then
    return {print_whole(now), 'stale'}
  end
end

if not held then
  for _, other in ipairs(redis.call('HKEYS', KEYS[1])) do
    local left = (whole(string.match(redis.call('HGET', KEYS[1], other), '^(%d+)|')) or 0) - now
    if left <= 0 or left > MAX_LEASE_MS then redis.call('HDEL', KEYS[1], other) end
  end
  if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[7]) then return {print_whole(now), 'full'} end
end

local value = table.concat({print_whole(now + lease), boot, ARGV[3], ARGV[4], ARGV[5]}, '|')
redis.call('HSET', KEYS[1], node, value)
redis.call('PEXPIRE', KEYS[1], lease + MAX_LEASE_MS)
return {print_whole(now), 'put'}
