-- Takes the backup of a stream out.
-- KEYS    1 <stream>:b
-- ARGV    1 boot
-- Output  {now, 'deleted'} | {now, 'lost'}
-- Invariant: only the boot that put it takes it out.

local now = clock_ms()
if redis.call('HGET', KEYS[1], 'boot') ~= ARGV[1] then return {print_whole(now), 'lost'} end
redis.call('DEL', KEYS[1])
return {print_whole(now), 'deleted'}
