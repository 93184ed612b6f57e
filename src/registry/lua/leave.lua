-- Takes a node out of the list.
-- KEYS    1 {nodes}:z   2 {nodes}:n:<node>
-- ARGV    1 node   2 boot
-- Output  {now, 'left'} | {now, 'lost'}
-- Invariant: only the boot that beats takes it out.

local now = clock_ms()
if redis.call('HGET', KEYS[2], 'boot') ~= ARGV[2] then return {print_whole(now), 'lost'} end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
return {print_whole(now), 'left'}
