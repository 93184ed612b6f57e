// One walk along all streams of the node for one answer of /metrics, a few streams at a time: what they come to together,
// and which of them are told by name.
import type { Stream } from '../media/stream.ts';
import type { StreamDirectory } from '../media/stream-directory.ts';
import type { OthersSum } from '../observe/others-sum.ts';
import type { QualityWatch } from './quality-watch.ts';

export interface TallySources {
  readonly directory: Pick<StreamDirectory, 'streams' | 'counters'>;
  readonly watch: Pick<QualityWatch, 'windowOf'>;
  /** Frames that were dropped of streams that are not named. */
  readonly droppedOfOthers: OthersSum;
}

export interface StreamTally {
  readonly live: number;
  readonly held: number;
  readonly players: number;
  readonly bytesPerS: number;
  /** What slow readers went without, ever. */
  readonly leftOutDisposable: number;
  readonly leftOutVideo: number;
  readonly skips: number;
  /** Those with the most players, the most first. */
  readonly named: readonly Stream[];
  /** Streams that are not named. */
  readonly otherCount: number;
  readonly otherDropped: number;
}

/** A stream, as it was when it was come by. */
interface Seen {
  readonly stream: Stream;
  readonly players: number;
}

const STREAMS_A_STEP = 50;

/**
 * Work for Slices: streams may come and go meanwhile.
 * @param named streams that are told by name, at most
 */
export function* tallyStreams(
  { directory, watch, droppedOfOthers }: TallySources,
  named: number,
): Generator<void, StreamTally> {
  // First those that are over: one that ends during the walk is not counted twice.
  const { leftOutDisposable, leftOutVideo, skips } = directory.counters;
  const sum = { live: 0, held: 0, players: 0, bytesPerS: 0, leftOutDisposable, leftOutVideo, skips };
  const top: Seen[] = [];
  let count = 0;
  for (const stream of directory.streams) {
    const { key, state, playerCount: players } = stream;
    if (state.at === 'live' || state.at === 'held') sum[state.at] += 1;
    sum.players += players;
    sum.bytesPerS += bytesPerSOf(stream, watch);
    for (const { cursor } of stream.readers) {
      sum.leftOutDisposable += cursor.leftOut.disposable;
      sum.leftOutVideo += cursor.leftOut.video;
      sum.skips += cursor.skips;
    }
    droppedOfOthers.see(key, droppedOf(stream));
    take(top, { stream, players }, named);
    count += 1;
    if (count % STREAMS_A_STEP === 0) yield;
  }
  const otherDropped = droppedOfOthers.tell(top.map(({ stream }) => stream.key));
  return { ...sum, named: top.map(({ stream }) => stream), otherCount: count - top.length, otherDropped };
}

/** Media of a stream of late. */
export function bytesPerSOf(stream: Stream, watch: TallySources['watch']): number {
  return Math.round(watch.windowOf(stream).bitsPerS / 8);
}

/** Frames of it that no decoder could use, or that never came. */
export function droppedOf({ meter }: Stream): number {
  return meter.missing + meter.unusable;
}

/** Puts one in its place among the first, if it has one there. */
function take(top: Seen[], one: Seen, most: number): void {
  const last = top.at(-1);
  if (top.length >= most && !(last && isBefore(one, last))) return;
  let [from, to] = [0, top.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    const other = top[middle];
    if (other && isBefore(other, one)) from = middle + 1;
    else to = middle;
  }
  top.splice(from, 0, one);
  if (top.length > most) top.pop();
}

function isBefore(a: Seen, b: Seen): boolean {
  return a.players === b.players ? a.stream.key < b.stream.key : a.players > b.players;
}
