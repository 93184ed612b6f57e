-- Gives a claim back, and leaves its tombstone, so that a renewal that is still on its way can't raise the dead.
-- KEYS    1 <stream>:o   2 <stream>:e
-- ARGV    1 node   2 boot   3 epoch   4 tombstone ms   5 keep :e for ms   6 hint channel   7 stream key
-- Output  {now, 'released'} | {now, 'lost'}
-- Invariant: a release that is stale changes nothing: the epoch is another boot's, or a higher one was granted.

local now = clock_ms()
local boot, epoch = ARGV[2], tonumber(ARGV[3])
local origin = read_origin(KEYS[1], now)

local same = origin ~= nil and origin.epoch == epoch
local own = same and origin.boot == boot and not origin.released
-- Forgotten or expired, it may yet be healed by a renewal that is on its way.
local forgotten = not same and not (origin ~= nil and origin.stands)
local passed = read_highest(KEYS[2], now) > epoch or (origin ~= nil and origin.epoch > epoch)
if passed or not (own or forgotten) then return {print_whole(now), 'lost'} end

local grave = {epoch = epoch, node = ARGV[1], boot = boot, publisher = '-', reason = 'publish', state = 'released'}
write_origin(KEYS[1], grave, now, tonumber(ARGV[4]))
write_highest(KEYS[2], epoch, ARGV[5])
redis.pcall('PUBLISH', ARGV[6], 'released ' .. print_whole(epoch) .. ' ' .. ARGV[1] .. ' ' .. ARGV[7])
return {print_whole(now), 'released'}
