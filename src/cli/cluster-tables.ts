// Nodes and streams of a cluster as tables: who is origin, who pulls from whom. Pure.
import type { Envelope } from '../http/forms/common.ts';
import type { NodeRow, NodesAnswer } from '../http/forms/nodes.ts';
import type { OriginRow, StreamRow, StreamsAnswer } from '../http/forms/streams.ts';
import { type Paint, plain } from './paint.ts';
import { staleText } from './stale-text.ts';
import { type Cell, type Column, numberColumns, tableText } from './table.ts';
import { treeOf } from './tree-lines.ts';
import { mbitText, msText, NONE, percentText, placeText, sinceText } from './units.ts';

const NODE_COLUMNS: readonly Column[] = [
  { head: 'NODE' },
  { head: 'REGION' },
  { head: 'STATE' },
  { head: 'LINK' },
  ...numberColumns(['STREAMS', 'PLAYERS', 'ALARMS', 'CPU', 'MEM', 'LOOP', 'OUT']),
  { head: 'MESH' },
  { head: 'HTTP' },
  { head: 'VERSION' },
];

const STREAM_COLUMNS: readonly Column[] = [
  { head: 'STREAM' },
  { head: 'NODE' },
  { head: 'ROLE' },
  { head: 'STATE' },
  ...numberColumns(['SINCE', 'HOPS', 'PLAYERS', 'BITRATE', 'FPS']),
  { head: 'CODECS' },
];

/** `tideway nodes`. */
export function nodesText({ nodes }: Pick<NodesAnswer, 'nodes'>, paint: Paint = plain): string {
  return tableText(NODE_COLUMNS, nodes.map(nodeCells), paint);
}

/** `tideway streams`: each stream's origin, and below it the replicas as the tree that they pull by. */
export function streamsText(answer: StreamsAnswer, paint: Paint = plain): string {
  const { streams, stale } = answer;
  if (streams.length === 0) return `no streams\n${staleText(stale)}`;
  const rows = streams.flatMap((stream) => streamCells(stream, answer));
  return tableText(STREAM_COLUMNS, rows, paint) + staleText(stale);
}

/** What is in a stream, in short. */
export function codecsText({ video, audio }: Pick<StreamRow, 'video' | 'audio'>): string {
  return [video, audio].filter((codec) => codec !== null).join(' + ') || NONE;
}

/** Frames a second; of a stream without video none. */
export function frameRateText({ frameRate, video }: Pick<StreamRow, 'frameRate' | 'video'>): string {
  return frameRate === null || video === null ? NONE : frameRate.toFixed(1);
}

/** How a node is: up, draining, or silent. */
export function nodeState({ draining, leaseMs }: NodeRow): Cell {
  if (leaseMs === 0) return { text: 'silent', tone: 'bad' };
  return draining ? { text: 'draining', tone: 'warn' } : 'up';
}

function nodeCells(row: NodeRow): Cell[] {
  const { load } = row;
  return [
    row.node,
    placeText(row.region, row.zone),
    nodeState(row),
    linkOf(row),
    String(load.streams),
    String(load.players),
    load.alarms === 0 ? '0' : { text: String(load.alarms), tone: 'bad' },
    percentText(load.cpu),
    percentText(load.memory),
    percentText(load.loopBusy),
    mbitText(load.sentBytesPerS * 8),
    row.mesh[0] ?? NONE,
    row.http || NONE,
    row.version,
  ];
}

function linkOf({ self, link }: NodeRow): string {
  if (self) return 'this node';
  if (!link) return NONE;
  return link.rttMs === null ? 'linked' : msText(link.rttMs);
}

function streamCells(stream: StreamRow, { node: asked, asOf }: Envelope): Cell[][] {
  const { origin, backup, here } = stream;
  const rows: Cell[][] = treeOf(stream.replicas, origin?.node).map(({ branch, row }) => [
    `${branch}${row.node}`,
    ...['replica', '', '', String(row.hops)],
  ]);
  // The registry does not list the node that answers, as it does not while it is away.
  const listed = new Set([origin?.node, ...stream.replicas.map(({ node }) => node)]);
  if (here && !listed.has(asked)) {
    const { role, state, hops } = here;
    rows.push([asked, role, state, '', hops === null ? '' : String(hops)]);
  }
  if (backup) rows.push([backup.node, 'backup']);
  const first = origin ? originCells(origin, asOf) : ['-', 'no origin', '', '', ''];
  const figures = [
    String(stream.players),
    mbitText(stream.bitsPerS),
    frameRateText(stream),
    codecsText(stream),
  ];
  return [[...first, ...figures], ...rows].map((cells, at) => [at === 0 ? stream.key : '', ...cells]);
}

function originCells({ node, state, reason, since }: OriginRow, asOf: string): Cell[] {
  const role = reason === 'failover' ? 'origin (failover)' : 'origin';
  const age = since === null ? '' : sinceText(since, asOf);
  return [node, role, state === 'held' ? { text: 'held', tone: 'warn' } : state, age, '0'];
}
