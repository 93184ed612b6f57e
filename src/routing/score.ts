// Which nodes may be chosen at all, and how good each is: limits filter, weights score. Pure; lower scores are better.
import type { LoadView, NodeView, Place } from './node-view.ts';

/** How much each thing counts; of `routing.weights`. */
export interface Weights {
  readonly cpu: number;
  readonly memory: number;
  readonly bandwidth: number;
  readonly place: number;
  readonly link: number;
  readonly price: number;
  readonly stream: number;
}

/** Above these a node is not chosen; of `routing.limits`. */
export interface Limits {
  /** Shares, 0 to 1. */
  readonly cpu: number;
  readonly memory: number;
  readonly bandwidth: number;
  readonly loop: number;
  readonly loopLagMs: number;
  /** Undefined: as many as come. */
  readonly players: number | undefined;
}

/** Why a node can't be chosen. `door`: the one that is asked for is shut there. */
export type LimitReason =
  | 'draining'
  | 'version'
  | 'door'
  | 'cpu'
  | 'memory'
  | 'bandwidth'
  | 'loop'
  | 'players';

/** What was promised to a node and does not show in its load yet. */
export interface Promised {
  readonly players: number;
  readonly bytesPerS: number;
}

/** The parts of a score, each 0 to 1 before its weight, 0 best; what was promised may lift two of them above 1. */
export type ScoreParts = Weights;

/** What is known of the way between a node and who asks. */
export interface Way {
  /** Undefined: not known. */
  readonly rttMs: number | undefined;
  /** As a part of the highest price: what the stream costs to this node if it lacks it, and from it to who asks. */
  readonly priceShare: number;
  /** `unknown`: nobody knows who has the stream. */
  readonly stream: 'here' | 'in-region' | 'elsewhere' | 'unknown';
}

/** A limit that was passed counts until the node is so far below it again. */
const BACK_BELOW = 0.95;
/** Of a core, for each byte a second that is fanned out (docs/performance.md). */
const BUSY_PER_BYTE = 2e-9;
/** What a node is taken to send at most when nobody knows: 1 Gbit/s. */
const USUAL_CAPACITY_BYTES_PER_S = 125_000_000;
/** Of another region. */
export const OTHER_ZONE = 0.2;
/** A round trip that counts in full. */
const FAR_RTT_MS = 200;
const UNKNOWN_RTT = 0.5;

/**
 * Why a node can't be chosen now, by what it told last; undefined if it can. What was promised to it since is no reason:
 * anybody may ask for routes and not come, and would make the cluster look full.
 * @param before what held then: a limit is left 5 % below where it was met, so that a node does not go to and fro
 */
export function limitOf(
  node: Pick<NodeView, 'draining' | 'version' | 'load'>,
  { limits, version }: { readonly limits: Limits; readonly version: string },
  before: LimitReason | undefined,
): LimitReason | undefined {
  const { load } = node;
  const isOver = (reason: LimitReason, value: number, limit: number) =>
    value > (before === reason ? limit * BACK_BELOW : limit);
  if (node.draining) return 'draining';
  if (!isCompatible(node.version, version)) return 'version';
  if (isOver('cpu', load.cpu, limits.cpu)) return 'cpu';
  if (isOver('memory', load.memory, limits.memory)) return 'memory';
  if (isOver('bandwidth', bandwidthOf(load, 0), limits.bandwidth)) return 'bandwidth';
  if (isOver('loop', load.loopBusy, limits.loop) || isOver('loop', load.loopLagMs, limits.loopLagMs)) {
    return 'loop';
  }
  const { players = Number.POSITIVE_INFINITY } = limits;
  return isOver('players', load.players, players - 1) ? 'players' : undefined;
}

/** The parts of a node's score. */
export function scoreParts(
  node: Pick<NodeView, 'load' | 'region' | 'zone'>,
  promised: Promised,
  place: Place,
  way: Way,
): ScoreParts {
  return {
    ...loadParts(node.load, promised.bytesPerS),
    ...wayParts(node, place, way),
  };
}

/** Those of them that are a node's own load, with what it was promised. */
export function loadParts(
  load: LoadView,
  promisedBytesPerS: number,
): Pick<ScoreParts, 'cpu' | 'memory' | 'bandwidth'> {
  return {
    cpu: cpuOf(load, promisedBytesPerS),
    memory: load.memory,
    bandwidth: bandwidthOf(load, promisedBytesPerS),
  };
}

/** One number of the parts: their weighted sum. */
export function scoreOf(parts: ScoreParts, weights: Weights): number {
  return loadScore(parts, weights) + awayScore(parts, weights);
}

/** The part of the sum that is the way's: how far, how dear, and whether the stream is there. */
export function wayScore(node: Place, place: Place, way: Way, weights: Weights): number {
  return awayScore(wayParts(node, place, way), weights);
}

/** The part of the sum that is a node's own: how busy it is. */
export function loadScore(
  parts: Pick<ScoreParts, 'cpu' | 'memory' | 'bandwidth'>,
  { cpu, memory, bandwidth }: Weights,
): number {
  return parts.cpu * cpu + parts.memory * memory + parts.bandwidth * bandwidth;
}

/** What each byte a second that is promised adds to a node's score. */
export function scorePerByte(load: LoadView, { cpu, bandwidth }: Weights): number {
  return BUSY_PER_BYTE * cpu + bandwidth / capacityOf(load);
}

function awayScore(
  parts: Pick<ScoreParts, 'place' | 'link' | 'price' | 'stream'>,
  { place, link, price, stream }: Weights,
): number {
  return parts.place * place + parts.link * link + parts.price * price + parts.stream * stream;
}

function wayParts(node: Place, place: Place, { rttMs, priceShare, stream }: Way) {
  return {
    place: placePart(node, place),
    link: linkPart(place, rttMs),
    price: Math.min(1, priceShare),
    stream: streamPart(stream),
  };
}

/** How busy a node is, 0 to 1: the fullest of its CPU, its event loop and its bandwidth. */
export function busyOf(load: LoadView): number {
  return Math.min(1, Math.max(cpuOf(load, 0), bandwidthOf(load, 0)));
}

/** Nodes of one major version understand each other; before 1.0, of one minor version. */
export function isCompatible(a: string, b: string): boolean {
  return generationOf(a) === generationOf(b);
}

function generationOf(version: string): string {
  const [, major = '', minor = ''] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  if (major === '') return version;
  return major === '0' ? `0.${minor}` : major;
}

/** A promise counts in full, though of many cores it will take a part of one: it is the event loop that it falls on. */
function cpuOf({ cpu, loopBusy }: LoadView, promisedBytesPerS: number): number {
  return Math.max(cpu, loopBusy) + promisedBytesPerS * BUSY_PER_BYTE;
}

function bandwidthOf(load: LoadView, promisedBytesPerS: number): number {
  return (load.sentBytesPerS + promisedBytesPerS) / capacityOf(load);
}

/** What a node may send, bytes a second. */
export function capacityOf({ capacityBytesPerS }: LoadView): number {
  return capacityBytesPerS || USUAL_CAPACITY_BYTES_PER_S;
}

function placePart(node: Place, place: Place): number {
  if (place.region === '') return 0;
  if (node.region !== place.region) return 1;
  return place.zone === '' || node.zone === place.zone ? 0 : OTHER_ZONE;
}

function linkPart(place: Place, rttMs: number | undefined): number {
  if (place.region === '') return 0;
  return rttMs === undefined ? UNKNOWN_RTT : Math.min(1, rttMs / FAR_RTT_MS);
}

function streamPart(stream: Way['stream']): number {
  switch (stream) {
    case 'here':
    case 'unknown':
      return 0;
    case 'in-region':
      return 0.5;
    case 'elsewhere':
      return 1;
  }
}
