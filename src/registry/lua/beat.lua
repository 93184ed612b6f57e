-- Keeps a node in the list, and tells it which others beat since it did.
-- KEYS    1 {nodes}:z   2 {nodes}:gen   3 {nodes}:n:<node>
-- ARGV    1 node   2 boot   3 record   4 lease ms   5 cursor (ms, or '')   6 a new generation, if there is none
--         7 prefix of node records   8 most nodes
-- Output  {now, 'beaten', generation, cursor, {node, record, lease ms, ...}} | {now, 'taken', boot, lease ms}
-- Invariant: a node id belongs to one boot at a time; no change is missed by who comes back with its cursor.

local now = clock_ms()
local node, boot, lease = ARGV[1], ARGV[2], tonumber(ARGV[4])

local holder = redis.call('HGET', KEYS[3], 'boot')
local left = (whole(redis.call('ZSCORE', KEYS[1], node)) or 0) + lease - now
if holder and holder ~= boot and left > 0 and left <= 2 * lease then
  return {print_whole(now), 'taken', holder, print_whole(left)}
end

redis.call('ZADD', KEYS[1], print_whole(now), node)
redis.call('HSET', KEYS[3], 'boot', boot, 'record', ARGV[3])
redis.call('PEXPIRE', KEYS[3], lease + MAX_LEASE_MS)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', print_whole(now - lease))
-- Beats of a time that is yet to come: the clock fell back, or somebody else wrote them.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. print_whole(now + lease), '+inf')

redis.call('SET', KEYS[2], ARGV[6], 'NX')
local from = whole(ARGV[5]) or 0
if from > now then from = 0 end
local nodes, cursor = read_nodes(KEYS[1], ARGV[7], from, now, lease, tonumber(ARGV[8]), node)
return {print_whole(now), 'beaten', redis.call('GET', KEYS[2]), print_whole(cursor), nodes}
