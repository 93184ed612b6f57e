-- Takes a replica out of a stream's list.
-- KEYS    1 <stream>:r
-- ARGV    1 node   2 boot
-- Output  {now, 'deleted'} | {now, 'lost'}
-- Invariant: only the boot that put it takes it out.

local now = clock_ms()
local held = redis.call('HGET', KEYS[1], ARGV[1])
local holder = held and string.match(held, '^%d+|([^|]*)|')
if holder ~= ARGV[2] then return {print_whole(now), 'lost'} end
redis.call('HDEL', KEYS[1], ARGV[1])
return {print_whole(now), 'deleted'}
