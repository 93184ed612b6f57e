-- All nodes that beat.
-- KEYS    1 {nodes}:z
-- ARGV    1 lease ms   2 prefix of node records   3 most nodes
-- Output  {now, {node, record, lease ms, ...}}
-- Invariant: nothing that expired is answered, and nothing is written.

local now = clock_ms()
local nodes = read_nodes(KEYS[1], ARGV[2], 0, now, tonumber(ARGV[1]), tonumber(ARGV[3]), nil)
return {print_whole(now), nodes}
