// Makes tideway.json, the Grafana dashboard: `node deploy/grafana/dashboard.mjs > deploy/grafana/tideway.json`. Here is what
// is on it, row by row; a test holds the file to it, and each name in it to what a node answers.

/** Nodes that were chosen, to put their ids beside what is told of them: Prometheus knows nodes by address. */
const CHOSEN = 'on (instance) group_left (node, region) tideway_node_info{node=~"$node", region=~"$region"}';
const WIDTH = 24;
const PANEL = { w: 8, h: 8 };
const STAT = { w: 4, h: 4 };

/** What is told now, of chosen nodes. */
const now = (series) => `(${series}) * ${CHOSEN}`;
/** What a counter grew by, a second. */
const rate = (series) => now(`rate(${series}[$__rate_interval])`);
/** Summed by node, and by further labels. */
const byNode = (expression, ...labels) => `sum by (${['node', ...labels].join(', ')}) (${expression})`;
const by = (labels, expression) => `sum by (${labels}) (${expression})`;
/** Of chosen streams. */
const ofStream = (name) => `${name}{stream=~"$stream"}`;

/** A chart: `[expression, legend]` for each line. */
const chart = (title, unit, lines, more = {}) => ({
  type: 'timeseries',
  title,
  unit,
  lines,
  ...PANEL,
  ...more,
});
const stacked = (title, unit, lines, more = {}) => chart(title, unit, lines, { stack: 'normal', ...more });
const stat = (title, unit, expression, more = {}) => ({
  ...{ type: 'stat', title, unit, lines: [[expression, '']], ...STAT },
  ...more,
});

const NODE = '{{node}}';

const ROWS = {
  Cluster: [
    stat('Nodes', 'short', 'count(tideway_node_info{node=~"$node", region=~"$region"})'),
    stat('Not ready', 'short', `sum(${now('1 - tideway_ready')})`, { bad: 1 }),
    stat('Streams', 'short', `sum(${now('tideway_claims')})`),
    stat('Players', 'short', `sum(${now('tideway_players')})`),
    stat('Sent', 'Bps', `sum(${now('tideway_node_sent_bytes_per_second')})`),
    stat('Alarms', 'short', `sum(${now('tideway_alarms')})`, { bad: 1 }),
    chart('Players by node', 'short', [[now('tideway_players'), NODE]]),
    stacked('Players by region', 'short', [[by('region', now('tideway_players')), '{{region}}']]),
    stacked('Streams by state', 'short', [[byNode(now('tideway_streams'), 'state'), '{{node}} {{state}}']]),
    chart('CPU', 'percentunit', [[now('tideway_node_cpu_ratio'), NODE]], { max: 1 }),
    chart('Event loop busy', 'percentunit', [[now('tideway_node_loop_busy_ratio'), NODE]], { max: 1 }),
    chart('Being emptied: who is left', 'short', [
      [byNode(now('tideway_drain_left'), 'who'), '{{node}} {{who}}'],
    ]),
  ],
  Traffic: [
    chart('Sent by node', 'Bps', [[now('tideway_node_sent_bytes_per_second'), NODE]]),
    chart('Received by node', 'Bps', [[now('tideway_node_received_bytes_per_second'), NODE]]),
    chart(
      'Part of the uplink that is used',
      'percentunit',
      [
        [
          now('tideway_node_sent_bytes_per_second / on (instance) tideway_node_capacity_bytes_per_second'),
          NODE,
        ],
      ],
      { max: 1 },
    ),
    stacked('To players, by protocol', 'Bps', [
      [by('protocol', rate('tideway_player_bytes_total')), '{{protocol}}'],
    ]),
    stacked('From publishers, by protocol', 'Bps', [
      [by('protocol', rate('tideway_publisher_bytes_total')), '{{protocol}}'],
    ]),
    chart('Between nodes', 'Bps', [
      [byNode(rate('tideway_mesh_sent_bytes_total')), '{{node}} sent'],
      [byNode(rate('tideway_mesh_received_bytes_total')), '{{node}} received'],
    ]),
    chart('Cost of an hour like this', 'short', [
      [`3600 * ${byNode(rate('tideway_traffic_cost_total'))}`, NODE],
    ]),
    chart('Connections', 'short', [[byNode(now('tideway_connections'), 'door'), '{{node}} {{door}}']]),
    chart('HTTP requests', 'reqps', [[byNode(rate('tideway_http_requests_total')), NODE]]),
  ],
  'Players, and why they ended': [
    stacked('Players that ended, by reason', 'ops', [
      [by('reason', rate('tideway_players_ended_total')), '{{reason}}'],
    ]),
    chart('Stalled, by node', 'ops', [
      [byNode(rate('tideway_players_ended_total{reason="player.stalled"}')), NODE],
    ]),
    chart('Connections closed on arrival', 'ops', [
      [byNode(rate('tideway_connections_dropped_total'), 'door'), '{{node}} {{door}}'],
    ]),
    chart('Frames that slow readers went without', 'ops', [
      [byNode(rate('tideway_frames_left_out_total'), 'kind'), '{{node}} {{kind}}'],
    ]),
    chart('Slow readers that went on at a newer start', 'ops', [[byNode(rate('tideway_skips_total')), NODE]]),
    chart('Unknown streams that players wait for', 'short', [[now('tideway_waiting_keys'), NODE]]),
    stacked('RTMP peers told no, by code', 'ops', [
      [by('code', rate('tideway_rtmp_refusals_total')), '{{code}}'],
    ]),
    stacked('HTTP requests told no, by code', 'ops', [
      [by('code', rate('tideway_http_refusals_total')), '{{code}}'],
    ]),
    stacked('Protocols broken, by rule', 'ops', [
      [by('code', rate('tideway_wire_errors_total')), '{{code}}'],
    ]),
    chart('Writes for each batch', 'short', [
      [
        `${byNode(rate('tideway_flush_writes_total'), 'format')} / ${byNode(rate('tideway_flushes_total'), 'format')}`,
        '{{node}} {{format}}',
      ],
    ]),
    chart('Event loop that flushes take', 'percentunit', [[now('tideway_flush_loop_ratio'), NODE]], {
      max: 1,
    }),
    chart('Publishers', 'short', [
      [byNode(now('tideway_claims'), 'standing'), '{{node}} {{standing}}'],
      [now('tideway_standbys'), '{{node}} stands by'],
    ]),
  ],
  'Streams and their quality': [
    chart('Bitrate', 'bps', [
      [`8 * ${now(ofStream('tideway_stream_bytes_per_second'))}`, '{{stream}} at {{node}}'],
    ]),
    chart('Frame rate', 'short', [[now(ofStream('tideway_stream_frame_rate')), '{{stream}} at {{node}}']]),
    chart('Players', 'short', [[now(ofStream('tideway_stream_players')), '{{stream}} at {{node}}']]),
    chart('Between key frames', 's', [
      [now(ofStream('tideway_stream_key_frame_interval_seconds')), '{{stream}} at {{node}}'],
    ]),
    chart('Jitter', 's', [[now(ofStream('tideway_stream_jitter_seconds')), '{{stream}} at {{node}}']]),
    chart('Longest gap', 's', [
      [now(ofStream('tideway_stream_longest_gap_seconds')), '{{stream}} at {{node}}'],
    ]),
    chart('Audio before video', 's', [
      [now(ofStream('tideway_stream_skew_seconds')), '{{stream}} at {{node}}'],
    ]),
    chart('Frames that no decoder could use', 'ops', [
      [rate(ofStream('tideway_stream_frames_dropped_total')), '{{stream}} at {{node}}'],
    ]),
    chart('Alarms', 'short', [[byNode(now('tideway_alarms'), 'kind'), '{{node}} {{kind}}']]),
  ],
  Hops: [
    chart('Delay from the node that is pulled from', 's', [
      [now(ofStream('tideway_hop_delay_seconds')), '{{stream}}: {{from}} to {{node}}'],
    ]),
    stacked('Changes of upstream, by cause', 'ops', [
      [by('cause', rate('tideway_switches_total')), '{{cause}}'],
    ]),
    chart('Frames missing that no peer had', 'ops', [[byNode(rate('tideway_gaps_total')), NODE]]),
    chart('Streams pulled and fed', 'short', [
      [now('tideway_upstreams'), '{{node}} pulls'],
      [now('tideway_downstreams'), '{{node}} feeds'],
    ]),
    chart('New epochs, and epochs that were behind', 'ops', [
      [byNode(rate('tideway_splices_total')), '{{node}} spliced'],
      [byNode(rate('tideway_fences_total')), '{{node}} fenced'],
    ]),
    stacked('Subscriptions declined, by why', 'ops', [
      [by('why', rate('tideway_downstreams_declined_total')), '{{why}}'],
    ]),
  ],
  'Mesh and registry': [
    chart('Links', 'short', [[now('tideway_mesh_links'), NODE]]),
    chart('Slowest round trip', 's', [[now('tideway_mesh_rtt_max_seconds'), NODE]]),
    chart('Heartbeats missed', 'percentunit', [[now('tideway_mesh_beat_loss_max_ratio'), NODE]]),
    chart('Registry is up', 'short', [[now('tideway_registry_state{state="up"}'), NODE]], { max: 1 }),
    chart('Calls to the registry', 'ops', [[byNode(rate('tideway_registry_calls_total')), NODE]]),
    chart('Calls that failed, or were late', 'ops', [
      [byNode(rate('tideway_registry_failures_total')), '{{node}} failed'],
      [byNode(rate('tideway_registry_timeouts_total')), '{{node}} late'],
    ]),
    chart('Nodes that each sees', 'short', [[now('tideway_nodes'), NODE]]),
    stacked('Peers told no, by code', 'ops', [[by('code', rate('tideway_mesh_refusals_total')), '{{code}}']]),
    stacked('Links that broke the protocol, by rule', 'ops', [
      [by('code', rate('tideway_mesh_wire_errors_total')), '{{code}}'],
    ]),
  ],
  Routing: [
    chart('Decisions', 'ops', [[byNode(rate('tideway_routing_decisions_total')), NODE]]),
    chart('Decisions for which no node was left', 'ops', [
      [byNode(rate('tideway_routing_unmet_total')), NODE],
    ]),
    stacked('Players sent to another node, by door', 'ops', [
      [by('door', rate('tideway_redirects_total')), '{{door}}'],
    ]),
    chart('Nodes that may be chosen', 'short', [[now('tideway_routing_nodes{may="yes"}'), NODE]]),
    chart('Copies to be ready', 'short', [
      [now('tideway_preload_streams'), '{{node}} streams'],
      [now('tideway_preload_missing'), '{{node}} missing'],
    ]),
    chart('Streams that a node was asked to have ready', 'short', [[now('tideway_wants'), NODE]]),
  ],
  Memory: [
    stacked('Media memory, by what it is for', 'bytes', [
      [by('kind', now('tideway_media_memory_bytes')), '{{kind}}'],
    ]),
    chart(
      'Media memory that is used',
      'percentunit',
      [
        [
          `${byNode(now('tideway_media_memory_bytes'))} / ${byNode(now('tideway_media_memory_limit_bytes'))}`,
          NODE,
        ],
      ],
      { max: 1 },
    ),
    chart('What gives way: stage', 'short', [[now('tideway_media_memory_stage'), NODE]], { max: 4 }),
    chart('Fullest tables', 'percentunit', [
      [`topk(10, ${now('tideway_table_entries / tideway_table_limit')})`, '{{node}} {{table}}'],
    ]),
    chart('Resident memory', 'bytes', [[now('process_resident_memory_bytes'), NODE]]),
    chart('Heap in use', 'bytes', [[now('nodejs_heap_size_used_bytes'), NODE]]),
  ],
  Process: [
    chart('CPU of the process', 'short', [[byNode(rate('process_cpu_seconds_total')), NODE]]),
    chart('Event loop late, 99 of 100 turns', 's', [[now('nodejs_eventloop_lag_p99_seconds'), NODE]]),
    chart('Event loop late, at worst', 's', [[now('nodejs_eventloop_lag_max_seconds'), NODE]]),
    chart('Garbage collection', 'percentunit', [
      [byNode(rate('nodejs_gc_duration_seconds_sum'), 'kind'), '{{node}} {{kind}}'],
    ]),
    chart('Files and sockets', 'short', [[now('process_open_fds'), NODE]]),
    chart('Up since', 's', [[`time() - ${byNode(now('process_start_time_seconds'))}`, NODE]]),
  ],
};

const DATASOURCE = { type: 'prometheus', uid: '$datasource' };

function variable(name, label, query) {
  return {
    ...{
      name,
      label,
      type: 'query',
      datasource: DATASOURCE,
      definition: query,
      query: { query, refId: name },
    },
    ...{ includeAll: true, multi: true, allValue: '.*', refresh: 2, sort: 1 },
    current: { selected: true, text: ['All'], value: ['$__all'] },
  };
}

function panel({ type, title, unit, lines, stack, max, bad, w, h }, at) {
  const targets = lines.map(([expr, legendFormat], index) => ({
    ...{ refId: String.fromCharCode(65 + index), datasource: DATASOURCE },
    ...{ expr, legendFormat, editorMode: 'code', range: type !== 'stat', instant: type === 'stat' },
  }));
  const steps = [
    { color: 'green', value: null },
    ...(bad === undefined ? [] : [{ color: 'red', value: bad }]),
  ];
  const custom = { fillOpacity: stack ? 30 : 5, showPoints: 'never', stacking: { mode: stack ?? 'none' } };
  const defaults = {
    ...{
      unit,
      min: title === 'Audio before video' ? undefined : 0,
      max,
      noValue: type === 'stat' ? '0' : undefined,
    },
    ...{ thresholds: { mode: 'absolute', steps }, ...(type === 'timeseries' && { custom }) },
  };
  const options =
    type === 'stat'
      ? { reduceOptions: { calcs: ['lastNotNull'] }, colorMode: 'value', graphMode: 'none' }
      : { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } };
  return {
    ...{ id: at.id, type, title, datasource: DATASOURCE, gridPos: { x: at.x, y: at.y, w, h } },
    ...{ targets, fieldConfig: { defaults, overrides: [] }, options },
  };
}

function panels() {
  const placed = [];
  let [id, y] = [0, 0];
  const nextId = () => {
    id += 1;
    return id;
  };
  Object.entries(ROWS).forEach(([title, charts], index) => {
    const below = [];
    const row = {
      id: nextId(),
      type: 'row',
      title,
      collapsed: index > 3,
      gridPos: { x: 0, y, w: WIDTH, h: 1 },
    };
    y += 1;
    let x = 0;
    let lineH = 0;
    for (const each of charts) {
      if (x + each.w > WIDTH || (lineH > 0 && each.h !== lineH)) {
        x = 0;
        y += lineH;
      }
      lineH = each.h;
      below.push(panel(each, { id: nextId(), x, y }));
      x += each.w;
    }
    y += lineH;
    // Grafana keeps the panels of a row that is folded inside of it.
    placed.push({ ...row, panels: row.collapsed ? below : [] }, ...(row.collapsed ? [] : below));
  });
  return placed;
}

export const dashboard = {
  title: 'Tideway',
  uid: 'tideway',
  tags: ['tideway'],
  description: 'A cluster of Tideway nodes: what they carry, for whom, how well, and what is wrong.',
  schemaVersion: 39,
  editable: true,
  graphTooltip: 1,
  refresh: '15s',
  time: { from: 'now-1h', to: 'now' },
  timezone: 'browser',
  annotations: { list: [] },
  links: [],
  templating: {
    list: [
      { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus', refresh: 1 },
      variable('region', 'Region', 'label_values(tideway_node_info, region)'),
      variable('node', 'Node', 'label_values(tideway_node_info{region=~"$region"}, node)'),
      variable('stream', 'Stream', 'label_values(tideway_stream_players, stream)'),
    ],
  },
  panels: panels(),
};

export const text = `${JSON.stringify(dashboard, undefined, 2)}\n`;

if (import.meta.url === `file://${process.argv[1]}`) process.stdout.write(text);
