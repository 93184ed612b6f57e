-- Claims the origin of a stream.
-- KEYS    1 <stream>:o   2 <stream>:e
-- ARGV    1 node   2 boot   3 publisher   4 reason   5 mode   6 min epoch   7 tag   8 lease ms   9 keep :e for ms
--         10 carried out until (registry time, ms; '' for whenever)   11 hint channel   12 stream key
-- Output  {now, 'granted', epoch} | {now, 'taken', origin} | {now, 'late'}
-- Invariant: an epoch that is granted is above the record, above :e and above the claimant's minimum; so no stream has
-- the same epoch twice. The same publisher of the same boot, asking again, gets the epoch it has.

local now = clock_ms()
local node, boot, publisher = ARGV[1], ARGV[2], ARGV[3]
local deadline = whole(ARGV[10])
if deadline and now > deadline then return {print_whole(now), 'late'} end

local origin = read_origin(KEYS[1], now)
local highest = read_highest(KEYS[2], now)
local minimum = whole(ARGV[6])
if not is_plausible(minimum, now) then minimum = 0 end

local stands = origin ~= nil and origin.stands
local again = stands and origin.node == node and origin.boot == boot and origin.publisher == publisher
  and origin.epoch >= highest and origin.epoch > minimum
-- Publishers of its own node are for the node to judge, and an earlier boot of it is gone.
if ARGV[5] == 'reject' and stands and origin.state == 'live' and origin.node ~= node then
  return {print_whole(now), 'taken', print_origin(origin)}
end

local epoch
if again then
  epoch = origin.epoch
else
  local last = math.max(highest, origin and origin.epoch or 0, minimum)
  local counter = math.floor(last / TAGS) + 1
  epoch = math.max(counter, now - EPOCH_ZERO_MS) * TAGS + tonumber(ARGV[7])
end
local claimed = {epoch = epoch, node = node, boot = boot, publisher = publisher, reason = ARGV[4], state = 'live'}
write_origin(KEYS[1], claimed, now, tonumber(ARGV[8]))
write_highest(KEYS[2], epoch, ARGV[9])
redis.pcall('PUBLISH', ARGV[11], 'claimed ' .. print_whole(epoch) .. ' ' .. node .. ' ' .. ARGV[12])
return {print_whole(now), 'granted', print_whole(epoch)}
