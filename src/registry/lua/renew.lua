-- Renews a claim; writes it again if the registry lost it.
-- KEYS    1 <stream>:o   2 <stream>:e
-- ARGV    1 node   2 boot   3 publisher   4 reason   5 epoch   6 state   7 'granted' or 'provisional'   8 lease ms
--         9 keep :e for ms
-- Output  {now, 'ok'} | {now, 'healed'} | {now, 'lost', origin, highest epoch}
-- Invariant: a renewal that is stale changes nothing: a higher epoch was granted, the epoch is another boot's, or it
-- was released. A provisional epoch never displaces a claim that stands and is live.

local now = clock_ms()
local boot, epoch = ARGV[2], tonumber(ARGV[5])
local origin = read_origin(KEYS[1], now)
local highest = read_highest(KEYS[2], now)

local same = origin ~= nil and origin.epoch == epoch
local own = same and origin.boot == boot and not origin.released
local stands = origin ~= nil and origin.stands
local passed = highest > epoch or (origin ~= nil and origin.epoch > epoch)
local taken = same and not own
-- Players that wait are no publisher: a held claim gives way to whoever publishes.
local unwanted = ARGV[7] == 'provisional' and stands and origin.boot ~= boot and origin.state == 'live'
if passed or taken or unwanted then
  return {print_whole(now), 'lost', print_origin(origin), print_whole(highest)}
end

local claimed = {epoch = epoch, node = ARGV[1], boot = boot, publisher = ARGV[3], reason = ARGV[4], state = ARGV[6]}
write_origin(KEYS[1], claimed, now, tonumber(ARGV[8]))
write_highest(KEYS[2], epoch, ARGV[9])
return {print_whole(now), own and stands and 'ok' or 'healed'}
