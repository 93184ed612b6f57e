// A stream's tree as it is drawn: who feeds whom, how well each hop does, and what of it is only known from before. Pure.
import { compare } from '../../src/base/compare.ts';
import type { AlarmRow } from '../../src/http/forms/alarms.ts';
import type { HopQuality } from '../../src/http/forms/quality.ts';
import type { StreamHere, TreeAnswer } from '../../src/http/forms/streams.ts';

export type TreeRow = TreeAnswer['nodes'][number];

/** How a hop does. `slow`: later than it should be; `stalled`: nothing comes; `unknown`: nobody answered. */
export type HopVerdict = 'good' | 'slow' | 'stalled' | 'unknown';

export interface TreeHop {
  readonly from: string;
  readonly verdict: HopVerdict;
  readonly delayMs: number | null;
  readonly errorMs: number | null;
  readonly jitterMs: number | null;
  readonly rttMs: number | null;
  readonly queueBytes: number | null;
  readonly gaps: number;
  readonly resumes: number;
  readonly skipped: number;
}

export interface TreeNode {
  readonly id: string;
  /** `told`: it answered; `stale`: the registry has it, and it did not answer. */
  readonly knownBy: 'told' | 'stale';
  readonly role: 'origin' | 'replica' | 'backup';
  readonly state: 'live' | 'held' | 'unknown';
  readonly players: number;
  readonly ageMs: number | null;
  /** Null at the origin, and where there is no way to one. */
  readonly hop: TreeHop | null;
  /** By id. */
  readonly children: readonly TreeNode[];
  /** What it told; undefined of a stale one. */
  readonly row: TreeRow | undefined;
}

/** Beyond this much silence a stream that should move does not. */
const SILENT_MS = 3000;

/** The origin first, then those without a way to it; each with what it feeds. */
export function treeOf(answer: TreeAnswer): TreeNode[] {
  const rows = new Map(answer.nodes.map((row) => [row.node, row]));
  const parents = parentsIn(answer, rows);
  const children = new Map<string | undefined, string[]>();
  for (const [id, parent] of parents) children.set(parent, [...(children.get(parent) ?? []), id]);
  const origin = answer.origin?.node;
  const build = (id: string): TreeNode => {
    const row = rows.get(id);
    const parent = parents.get(id);
    return {
      id,
      row,
      knownBy: row ? 'told' : 'stale',
      role: row?.role ?? (id === origin ? 'origin' : id === answer.backup?.node ? 'backup' : 'replica'),
      state: row?.state ?? 'unknown',
      players: row?.players ?? 0,
      ageMs: row?.ageMs ?? null,
      hop: parent === undefined ? null : hopOf(id, parent, answer, rows),
      children: (children.get(id) ?? []).map(build),
    };
  };
  const roots = (children.get(undefined) ?? []).map(build);
  return roots.sort((one, other) => Number(other.id === origin) - Number(one.id === origin));
}

/** All nodes of a tree, each before those that it feeds. */
export function flat(roots: readonly TreeNode[]): TreeNode[] {
  return roots.flatMap((node) => [node, ...flat(node.children)]);
}

/** From the origin to the node, itself included; empty where it is not in the tree. */
export function wayTo(roots: readonly TreeNode[], id: string): TreeNode[] {
  for (const node of roots) {
    if (node.id === id) return [node];
    const way = wayTo(node.children, id);
    if (way.length > 0) return [node, ...way];
  }
  return [];
}

/** The tree in one sentence for each node, for who can't see it. */
export function sentences(roots: readonly TreeNode[], say: (ms: number | null) => string): string[] {
  return flat(roots).map(({ id, role, state, players, hop, knownBy }) => {
    const fed = hop ? ` fed by ${hop.from}, ${say(hop.delayMs)} later, hop ${hop.verdict}` : '';
    const known = knownBy === 'stale' ? ', did not answer' : `, ${state}`;
    return `${id}: ${role}${fed}${known}, ${players} ${players === 1 ? 'player' : 'players'}.`;
  });
}

/** Who feeds each node; undefined: nobody. Sorted by id, and no node is its own ancestor, whatever was told. */
function parentsIn(answer: TreeAnswer, rows: ReadonlyMap<string, TreeRow>): Map<string, string | undefined> {
  const told = new Map<string, string | undefined>();
  for (const { node, upstream, hop } of answer.nodes) told.set(node, upstream ?? hop?.from);
  for (const { node, upstream } of answer.replicas) if (!rows.has(node)) told.set(node, upstream);
  const { origin, backup } = answer;
  if (origin) told.set(origin.node, undefined);
  if (backup && !told.has(backup.node)) told.set(backup.node, origin?.node);
  const sorted = new Map([...told].sort(([one], [other]) => compare(one, other)));
  for (const [id, parent] of sorted) {
    if (parent !== undefined && (!sorted.has(parent) || isAbove(id, parent, sorted))) {
      sorted.set(id, undefined);
    }
  }
  return sorted;
}

/** Is `id` above `start`, or the same? */
function isAbove(id: string, start: string, parents: ReadonlyMap<string, string | undefined>): boolean {
  let at: string | undefined = start;
  for (let steps = 0; at !== undefined && steps <= parents.size; steps += 1) {
    if (at === id) return true;
    at = parents.get(at);
  }
  return at !== undefined;
}

function hopOf(id: string, from: string, answer: TreeAnswer, rows: ReadonlyMap<string, TreeRow>): TreeHop {
  const row = rows.get(id);
  // What a node says of the way from another than the one it is drawn under is of the past.
  const hop: HopQuality | undefined = row?.hop?.from === from ? row.hop : undefined;
  const queue = hop?.queueBytes ?? rows.get(from)?.childRows.find(({ node }) => node === id)?.queueBytes;
  return {
    from,
    verdict: verdict(id, from, row, answer.alarms),
    delayMs: hop?.delayMs ?? null,
    errorMs: hop?.errorMs ?? null,
    jitterMs: hop?.jitterMs ?? null,
    rttMs: hop?.rttMs ?? null,
    queueBytes: queue ?? null,
    gaps: hop?.gaps ?? 0,
    resumes: hop?.resumes ?? 0,
    skipped: hop?.skipped ?? 0,
  };
}

function verdict(
  to: string,
  from: string,
  row: StreamHere | undefined,
  alarms: readonly AlarmRow[],
): HopVerdict {
  if (!row) return 'unknown';
  const here = alarms.filter(
    ({ hop, until }) => until === null && hop !== null && hop.from === from && hop.to === to,
  );
  if (here.some(({ kind }) => kind === 'stalled')) return 'stalled';
  if (row.state === 'live' && row.quality.silentMs > SILENT_MS) return 'stalled';
  return here.length > 0 ? 'slow' : 'good';
}
