// Answers of the state API, made of what a test is about and of values that say nothing.
import type { AlarmRow, AlarmsAnswer } from '../../src/http/forms/alarms.ts';
import type { StaleNode } from '../../src/http/forms/common.ts';
import type { NodeRow, NodesAnswer, StatusAnswer } from '../../src/http/forms/nodes.ts';
import type { HopQuality, StreamQuality } from '../../src/http/forms/quality.ts';
import type { SessionRow } from '../../src/http/forms/sessions.ts';
import type { StreamRow, StreamsAnswer, TreeAnswer } from '../../src/http/forms/streams.ts';

/** Two minutes after everything in these answers began. */
export const AS_OF = '2026-01-01T00:02:00.000Z';
const SINCE = '2026-01-01T00:00:00.000Z';
const ENVELOPE = { node: 'a', registry: 'up', asOf: AS_OF } as const;
export const CLUSTER: { node: string; registry: 'up'; asOf: string; stale: StaleNode[] } = {
  ...ENVELOPE,
  stale: [],
};

/** What is told where anybody may publish. */
export const OPEN_HINT: StatusAnswer['publishHint'] = { stream: 'live/demo', append: '', note: null };

export const LOAD: NodeRow['load'] = {
  ...{ cpu: 0, memory: 0, loopBusy: 0, loopLagMs: 0 },
  ...{ sentBytesPerS: 0, receivedBytesPerS: 0, capacityBytesPerS: 0 },
  ...{ players: 0, publishers: 0, streams: 0, alarms: 0 },
};

export function nodeRow(node: string, fields: Partial<NodeRow> = {}): NodeRow {
  return {
    ...{ node, boot: '0'.repeat(16), host: 'h', version: '1.2.3', region: '', zone: '', draining: false },
    ...{ tags: [], rtmpInternal: '', httpInternal: '', rttMs: {} },
    ...{ mesh: [], rtmp: '', http: '', load: LOAD, leaseMs: 3000, self: false, link: null },
    ...fields,
  };
}

export function nodesAnswer(...nodes: NodeRow[]): NodesAnswer {
  return { ...ENVELOPE, nodes };
}

export function statusAnswer(
  fields: Partial<StatusAnswer> = {},
  cluster: Partial<StatusAnswer['cluster']> = {},
): StatusAnswer {
  return {
    ...ENVELOPE,
    ...{ version: '1.2.3', uptimeMs: 120_000, notReady: null, trouble: null },
    ...{ rtmpPort: 1935, publishHint: OPEN_HINT },
    ...fields,
    cluster: {
      nodes: { up: 3, draining: 0, silent: 0 },
      ...{ streams: 7, players: 36, publishers: 3, alarms: 0, regions: [] },
      ...{ receivedBytesPerS: 375_000, sentBytesPerS: 6_250_000, capacityBytesPerS: 0 },
      ...cluster,
    },
  };
}

export const ORIGIN = { node: 'a', epoch: 4096, state: 'live', reason: 'publish', since: SINCE } as const;

export function streamRow(fields: Partial<StreamRow> = {}): StreamRow {
  return {
    ...{ key: 'live/show', origin: ORIGIN, replicas: [], backup: null, here: null },
    ...{ players: 0, bitsPerS: null, frameRate: null, video: null, audio: null, history: null },
    ...fields,
  };
}

export function streamsAnswer(streams: StreamRow[], fields: Partial<StreamsAnswer> = {}): StreamsAnswer {
  return { ...CLUSTER, limit: 1000, total: streams.length, truncated: false, streams, ...fields };
}

export function alarmRow(fields: Partial<AlarmRow> = {}): AlarmRow {
  return {
    ...{ id: '1', kind: 'hop-slow', node: 'b', stream: 'live/show', hop: { from: 'a', to: 'b' } },
    ...{ since: SINCE, until: null, value: 640, limit: 500, unit: 'ms' },
    detail: 'frames take 640 ms from a to b',
    ...fields,
  };
}

export function alarmsAnswer(alarms: AlarmRow[], fields: Partial<AlarmsAnswer> = {}): AlarmsAnswer {
  return { ...CLUSTER, total: alarms.length, truncated: false, alarms, ...fields };
}

export function sessionRow(fields: Partial<SessionRow> = {}): SessionRow {
  return {
    ...{ id: 'abcd1234', node: 'a', kind: 'player', stream: 'live/show', protocol: 'http-flv' },
    ...{ remote: '10.0.0.9:4000', since: SINCE, durationMs: 120_000, state: 'live' },
    ...{ bytes: 30_000_000, bytesPerS: 250_000, backlogBytes: 0, dropped: 0, skips: 0, ended: null },
    ...fields,
  };
}

export const QUALITY: StreamQuality = {
  video: {
    ...{ codec: 'H.264', width: 640, height: 360, frameRate: 30, bitsPerS: 2_000_000 },
    ...{ keyIntervalMs: 1000, keyAgeMs: 400 },
  },
  audio: { codec: 'AAC', sampleRate: 44_100, channels: 2, bitsPerS: 96_000 },
  ...{ bitsPerS: 2_096_000, jitterMs: 2.5, longestGapMs: 45, skewMs: -12, dropped: 0, silentMs: 20 },
};

export function hop(from: string, to: string, fields: Partial<HopQuality> = {}): HopQuality {
  return {
    ...{ from, to, delayMs: 12, errorMs: 1.5, jitterMs: 0.8, rttMs: 20 },
    ...{ gaps: 0, resumes: 0, skipped: 0, queueBytes: 0 },
    ...fields,
  };
}

type TreeRow = TreeAnswer['nodes'][number];

/** A node of a tree: the origin, unless it has an upstream. */
export function treeRow(node: string, fields: Partial<TreeRow> = {}): TreeRow {
  const upstream = fields.upstream ?? null;
  return {
    ...{
      key: 'live/show',
      node,
      since: SINCE,
      bitsPerS: 2_096_000,
      frameRate: 30,
      video: 'H.264',
      audio: 'AAC',
    },
    ...{ role: upstream === null ? 'origin' : 'replica', state: 'live', epoch: 4096 },
    ...{ hops: 0, upstream, path: [node], players: 0, children: 0, standby: null },
    ...{ quality: QUALITY, hop: null, childRows: [], publisher: null, ageMs: 0 },
    history: { stepMs: 1000, bitsPerS: [], frameRate: [], players: [] },
    ...fields,
  };
}

export function treeAnswer(nodes: TreeRow[], fields: Partial<TreeAnswer> = {}): TreeAnswer {
  return {
    ...CLUSTER,
    key: 'live/show',
    origin: ORIGIN,
    replicas: [],
    backup: null,
    nodes,
    alarms: [],
    ...fields,
  };
}
