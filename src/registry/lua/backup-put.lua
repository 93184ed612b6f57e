-- Keeps the publisher that stands by for a stream.
-- KEYS    1 <stream>:b
-- ARGV    1 node   2 boot   3 publisher   4 lease ms
-- Output  {now, 'put'} | {now, 'taken'}
-- Invariant: a backup of another process that stands is not replaced, but for an earlier boot of the same node.

local now = clock_ms()
local held = redis.call('HMGET', KEYS[1], 'node', 'boot', 'expires')
local left = (whole(held[3]) or 0) - now
local other = held[2] ~= ARGV[2] and held[1] ~= ARGV[1]
if other and left > 0 and left <= MAX_LEASE_MS then return {print_whole(now), 'taken'} end
local lease = tonumber(ARGV[4])
redis.call('HSET', KEYS[1], 'node', ARGV[1], 'boot', ARGV[2], 'publisher', ARGV[3],
  'expires', print_whole(now + lease))
redis.call('PEXPIRE', KEYS[1], lease + MAX_LEASE_MS)
return {print_whole(now), 'put'}
