// Nodes and streams of a cluster as tables: who is origin, who pulls from whom. Pure.
import type { NodeRow, NodesAnswer } from '../http/forms/nodes.ts';
import type { OriginRow, ReplicaRow, StreamRow, StreamsAnswer } from '../http/forms/streams.ts';
import { type Column, durationText, tableText } from './table.ts';

const NODE_COLUMNS: readonly Column[] = [
  { head: 'NODE' },
  { head: 'STATE' },
  { head: 'LINK' },
  { head: 'STREAMS', align: 'right' },
  { head: 'PLAYERS', align: 'right' },
  { head: 'CPU', align: 'right' },
  { head: 'LOOP', align: 'right' },
  { head: 'OUT', align: 'right' },
  { head: 'PLACE' },
  { head: 'MESH' },
  { head: 'HTTP' },
  { head: 'VERSION' },
];

const STREAM_COLUMNS: readonly Column[] = [
  { head: 'STREAM' },
  { head: 'NODE' },
  { head: 'ROLE' },
  { head: 'STATE' },
  { head: 'EPOCH', align: 'right' },
  { head: 'HOPS', align: 'right' },
  { head: 'SINCE', align: 'right' },
  { head: 'PLAYERS', align: 'right' },
];

/** `tideway nodes`. */
export function nodesText({ nodes }: NodesAnswer): string {
  return tableText(NODE_COLUMNS, nodes.map(nodeCells));
}

/** `tideway streams`: each stream's origin, and below it the replicas as the tree that they pull by. */
export function streamsText({ streams, node, asOf }: StreamsAnswer): string {
  if (streams.length === 0) return 'no streams\n';
  const nowWallMs = Date.parse(asOf);
  return tableText(
    STREAM_COLUMNS,
    streams.flatMap((stream) => streamCells(stream, { node, nowWallMs })),
  );
}

function nodeCells(row: NodeRow): string[] {
  const { load } = row;
  return [
    row.node,
    stateOf(row),
    linkOf(row),
    String(load.streams),
    String(load.players),
    percentText(load.cpu),
    percentText(load.loopBusy),
    `${mbit(load.sentBytesPerS)} Mbit/s`,
    [row.region, row.zone].filter((part) => part !== '').join('/') || '-',
    row.mesh[0] ?? '-',
    row.http || '-',
    row.version,
  ];
}

function percentText(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** One place below 10. */
function mbit(bytesPerS: number): string {
  const value = bytesPerS / 125_000;
  return value.toFixed(value < 9.95 ? 1 : 0);
}

function stateOf({ draining, leaseMs }: NodeRow): string {
  if (leaseMs === 0) return 'silent';
  return draining ? 'draining' : 'up';
}

function linkOf({ self, link }: NodeRow): string {
  if (self) return 'this node';
  if (!link) return '-';
  return link.rttMs === null ? 'linked' : `${link.rttMs.toFixed(1)} ms`;
}

interface Asker {
  /** The node that answered: of others, the players are not known. */
  readonly node: string;
  readonly nowWallMs: number;
}

function streamCells(stream: StreamRow, asker: Asker): string[][] {
  const { origin, backup, here } = stream;
  const playersAt = (node: string) => (here && node === asker.node ? String(here.players) : '');
  const rows = treeOf(stream.replicas, origin?.node).map(({ branch, replica }) => {
    const { node, epoch, hops } = replica;
    return [`${branch}${node}`, 'replica', '', String(epoch), String(hops), '', playersAt(node)];
  });
  const listed = new Set([origin?.node, ...stream.replicas.map(({ node }) => node)]);
  if (here && !listed.has(asker.node)) {
    const { role, state, epoch, hops } = here;
    const hopsText = hops === null ? '' : String(hops);
    rows.push([asker.node, role, state, String(epoch), hopsText, '', playersAt(asker.node)]);
  }
  if (backup) rows.push([backup.node, 'backup', '', '', '', '', '']);
  const first = origin ? originCells(origin, asker.nowWallMs, playersAt(origin.node)) : ['-', 'no origin'];
  return [first, ...rows].map((cells, at) => [at === 0 ? stream.key : '', ...cells]);
}

function originCells(
  { node, state, epoch, reason, since }: OriginRow,
  nowWallMs: number,
  players: string,
): string[] {
  const age = since === null ? '' : durationText(nowWallMs - Date.parse(since));
  const role = reason === 'failover' ? 'origin (failover)' : 'origin';
  return [node, role, state, String(epoch), '0', age, players];
}

interface Branch {
  /** The lines of the tree in front of the node. */
  readonly branch: string;
  readonly replica: ReplicaRow;
}

/**
 * Replicas below the node that each pulls from, depth first. Those of nobody that is listed stand below the origin, and
 * one that is met twice is not followed: records may be of different moments, and name each other.
 */
function treeOf(replicas: readonly ReplicaRow[], origin: string | undefined): Branch[] {
  const known = new Set(replicas.map(({ node }) => node));
  const childrenOf = groupByUpstream(replicas, known, origin);
  const rows: Branch[] = [];
  const shown = new Set<string>();
  const show = (children: readonly ReplicaRow[], indent: string): void => {
    const fresh = children.filter(({ node }) => !shown.has(node));
    for (const [at, replica] of fresh.entries()) {
      if (shown.has(replica.node)) continue;
      shown.add(replica.node);
      const isLast = at === fresh.length - 1;
      rows.push({ branch: `${indent}${isLast ? '└ ' : '├ '}`, replica });
      show(childrenOf.get(replica.node) ?? [], `${indent}${isLast ? '  ' : '│ '}`);
    }
  };
  show(childrenOf.get('') ?? [], '');
  // What is left goes round in a ring.
  for (const replica of replicas) if (!shown.has(replica.node)) show([replica], '');
  return rows;
}

/** Under the node that each pulls from; under '' the origin's own, and those of nodes that nobody lists. */
function groupByUpstream(
  replicas: readonly ReplicaRow[],
  known: ReadonlySet<string>,
  origin: string | undefined,
): Map<string, ReplicaRow[]> {
  const groups = new Map<string, ReplicaRow[]>();
  for (const replica of replicas) {
    const { upstream } = replica;
    const under = upstream === origin || !known.has(upstream) ? '' : upstream;
    const group = groups.get(under);
    if (group) group.push(replica);
    else groups.set(under, [replica]);
  }
  return groups;
}
