-- What all scripts share: the driver puts this in front of each. Registry time, whole numbers, the origin's record.
-- KEYS    none
-- ARGV    none
-- Output  none
-- Invariant: what is stored is not trusted. What can't be right, an epoch too far ahead of registry time among it,
-- reads as missing.

local EPOCH_ZERO_MS = 1704067200000
local TAGS = 4096
local MAX_AHEAD_MS = 600000
local MAX_LEASE_MS = 60000
local MAX_TEXT = 128

-- Registry time, ms since 1970.
local function clock_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- A whole number as text. tostring and .. keep 14 digits, an epoch has up to 16.
local function print_whole(number)
  return string.format('%.0f', number)
end

-- Text of digits as a number, or nil.
local function whole(text)
  if type(text) == 'string' and #text <= 16 and string.find(text, '^%d+$') then return tonumber(text) end
  return nil
end

local function is_plausible(epoch, now)
  return epoch ~= nil and epoch > 0 and math.floor(epoch / TAGS) <= now - EPOCH_ZERO_MS + MAX_AHEAD_MS
end

local function is_short(text)
  return type(text) == 'string' and #text <= MAX_TEXT
end

-- The claim on a stream, or nil. `stands`: neither expired nor released. An old tombstone is as good as none.
local function read_origin(key, now)
  local held = redis.call('HMGET', key, 'epoch', 'node', 'boot', 'publisher', 'reason', 'state', 'since', 'expires')
  local epoch, expires = whole(held[1]), whole(held[8])
  if not is_plausible(epoch, now) or expires == nil or expires - now > MAX_LEASE_MS then return nil end
  for field = 2, 7 do
    if not is_short(held[field]) then return nil end
  end
  local released = held[6] == 'released'
  local alive = expires > now
  if released and not alive then return nil end
  return {
    epoch = epoch, node = held[2], boot = held[3], publisher = held[4], reason = held[5], state = held[6],
    since = held[7], lease = expires - now, released = released, stands = alive and not released
  }
end

-- Writes a claim. It stays a while after it expired, so that its owner is known when it comes back.
local function write_origin(key, origin, now, lease)
  local since = math.floor(origin.epoch / TAGS) + EPOCH_ZERO_MS
  redis.call('HSET', key, 'epoch', print_whole(origin.epoch), 'node', origin.node, 'boot', origin.boot,
    'publisher', origin.publisher, 'reason', origin.reason, 'state', origin.state,
    'since', print_whole(since), 'expires', print_whole(now + lease))
  redis.call('PEXPIRE', key, lease + MAX_LEASE_MS)
end

-- A claim as scripts answer it; the empty list if there is none that stands.
local function print_origin(origin)
  if not origin or not origin.stands then return {} end
  return {
    print_whole(origin.epoch), origin.node, origin.boot, origin.publisher, origin.reason, origin.state,
    origin.since, print_whole(origin.lease)
  }
end

-- The highest epoch ever granted of a stream; 0 if none is known.
local function read_highest(key, now)
  local highest = whole(redis.call('GET', key))
  return is_plausible(highest, now) and highest or 0
end

local function write_highest(key, epoch, keep)
  redis.call('SET', key, print_whole(epoch), 'PX', keep)
end

-- Nodes whose last beat was at `from` or later, but for one: a flat list of id, record, remaining lease.
-- Records are read as <prefix><id>, which is in the slot of the calling script.
local function read_nodes(row, prefix, from, now, lease, max, except)
  local seen = redis.call('ZRANGEBYSCORE', row, print_whole(math.max(from, now - lease + 1)), print_whole(now + lease),
    'WITHSCORES', 'LIMIT', 0, max)
  local nodes = {}
  for at = 1, #seen, 2 do
    local id, beat = seen[at], whole(seen[at + 1])
    if id ~= except and beat ~= nil and #id <= 64 then
      local record = redis.call('HGET', prefix .. id, 'record')
      if record and #record <= 4096 then
        nodes[#nodes + 1] = id
        nodes[#nodes + 1] = record
        nodes[#nodes + 1] = print_whole(math.min(lease, beat + lease - now))
      end
    end
  end
  return nodes, #seen / 2 >= max and whole(seen[#seen]) or now
end
