// One stream of the cluster, put together of what nodes tell of it and what the registry has. Where they disagree, the
// higher epoch is right; of one epoch a node knows better than its record. Pure.
import { compare } from '../base/compare.ts';
import type { Told } from '../http/forms/common.ts';
import type { HereRow, NodeStream, OriginRow, ReplicaRow, StreamRow } from '../http/forms/streams.ts';
import type { Lookup } from '../registry/registry.ts';

/** What is known of a stream. */
export interface StreamFacts {
  readonly key: string;
  /** One row of each node that has it and answered. */
  readonly told: readonly Told<NodeStream>[];
  /** As the registry has it; undefined: it was not asked, or does not answer. */
  readonly found: Lookup | undefined;
}

/** Who answered: what such a node does not tell of is not there, whatever its record says. */
export type Answered = (node: string) => boolean;

/** Where it is, in short. */
export interface StreamPlaces {
  readonly origin: OriginRow | null;
  readonly replicas: readonly ReplicaRow[];
  readonly backup: { readonly node: string } | null;
}

/** Undefined: nobody has it. */
export function placesOf({ told, found }: StreamFacts, answered: Answered): StreamPlaces | undefined {
  // If nobody tells of it, the registry may be ahead of the answers.
  const isRight = (node: string) => told.length === 0 || !answered(node);
  const origin = originOf(told, found, isRight);
  const tellers = new Set(told.map(({ node }) => node));
  const replicas = told.flatMap(replicaOf);
  for (const { node, hops, upstream, epoch } of found?.replicas ?? []) {
    if (!tellers.has(node) && isRight(node)) replicas.push({ node, hops, upstream, epoch });
  }
  const backup = backupOf(told, found, isRight);
  if (!origin && told.length === 0 && replicas.length === 0 && !backup) return undefined;
  return { origin, replicas: replicas.sort(byHops), backup };
}

/** The row of a list, without history. */
export function streamRow(
  { key, told }: Pick<StreamFacts, 'key' | 'told'>,
  places: StreamPlaces,
  self: string,
): Omit<Told<StreamRow>, 'history'> {
  const here = told.find(({ node }) => node === self);
  const best = bestOf(told, places.origin);
  return {
    ...{ key, ...places },
    here: here ? hereRow(here) : null,
    players: playersOf(told),
    bitsPerS: best?.bitsPerS ?? null,
    frameRate: best?.frameRate ?? null,
    video: best?.video ?? null,
    audio: best?.audio ?? null,
  };
}

export function playersOf(told: readonly Told<NodeStream>[]): number {
  let players = 0;
  for (const row of told) players += row.players;
  return players;
}

/** The node whose word on what is in the stream counts: the origin, else one of the newest epoch. */
export function bestOf(
  told: readonly Told<NodeStream>[],
  origin: OriginRow | null,
): Told<NodeStream> | undefined {
  let best: Told<NodeStream> | undefined;
  for (const row of told) {
    if (row.node === origin?.node) return row;
    if (!best || row.epoch > best.epoch) best = row;
  }
  return best;
}

function hereRow(row: Told<NodeStream>): Told<HereRow> {
  const { role, state, epoch, hops, upstream, path, players, children, standby } = row;
  return { role, state, epoch, hops, upstream, path, players, children, standby };
}

function originOf(
  told: readonly Told<NodeStream>[],
  found: Lookup | undefined,
  isRight: Answered,
): OriginRow | null {
  const record = found?.origin;
  let best: OriginRow | null = null;
  for (const { role, node, epoch, state, since, reason = null } of told) {
    if (role !== 'origin' || (best && best.epoch >= epoch)) continue;
    const isSame = record?.node === node && record.epoch === epoch;
    best = isSame
      ? { node, epoch, state, reason: record.reason, since: isoOf(record.sinceWallMs) ?? since }
      : { node, epoch, state, reason, since };
  }
  if (record && isRight(record.node) && record.epoch > (best?.epoch ?? -1)) {
    const { node, epoch, state, reason, sinceWallMs } = record;
    best = { node, epoch, state, reason, since: isoOf(sinceWallMs) };
  }
  for (const { role, epoch, state, path } of told) {
    const [first] = path;
    if (role === 'origin' || first === undefined || (best && best.epoch >= epoch)) continue;
    best = { node: first, epoch, state, reason: null, since: null };
  }
  return best;
}

function replicaOf({ role, node, hops, upstream, epoch }: Told<NodeStream>): ReplicaRow[] {
  if (role === 'origin' || hops === null || upstream === null) return [];
  return [{ node, hops, upstream, epoch }];
}

function backupOf(
  told: readonly Told<NodeStream>[],
  found: Lookup | undefined,
  isRight: Answered,
): { readonly node: string } | null {
  const teller = told.find(({ role }) => role === 'backup');
  if (teller) return { node: teller.node };
  const record = found?.backup;
  return record && isRight(record.node) ? { node: record.node } : null;
}

/** Null for a number that is no time: a registry's are as good as who wrote them. */
function isoOf(wallMs: number): string | null {
  const date = new Date(wallMs);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

function byHops(a: ReplicaRow, b: ReplicaRow): number {
  return a.hops - b.hops || compare(a.node, b.node);
}
