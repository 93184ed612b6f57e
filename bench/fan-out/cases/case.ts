// What a case is to the runner: its sizes, who runs in it, and one run of it.
import type { Contender, Outcome } from '../figures.ts';
import type { Options, Size } from '../options.ts';
import type { Bench } from '../site.ts';
import type { CaseName } from './names.ts';

const JOIN_MS_EACH = 2;
const MIN_JOIN_MS = 200;

/** One run: a contender at a size, once. */
export interface Run extends Size {
  readonly contender: Contender;
}

export interface BenchCase {
  readonly name: CaseName;
  sizes(options: Options): readonly Size[];
  /** Whom it is run with, tideway first; those that are not installed are left out. */
  contenders(size: Size, options: Options): readonly Contender[];
  /** Undefined: there is nothing to measure here, and the reason was noted. */
  run(run: Run, bench: Bench): Promise<Outcome | undefined>;
  /** It takes long and needs no repetition. */
  readonly isRunOnce?: boolean;
}

/** The servers that play as HTTP-FLV, and RTMP beside RTMP. */
export const SERVERS: readonly Contender[] = [
  { subject: 'tideway', format: 'http-flv' },
  { subject: 'node-media-server', format: 'http-flv' },
  { subject: 'tideway', format: 'rtmp' },
  { subject: 'nginx-rtmp', format: 'rtmp' },
];

/** In a quick run tideway alone: all are beside it in the cases fan-out and join. */
export function serversIn(_size: Size, { isQuick }: Options): readonly Contender[] {
  return isQuick ? SERVERS.slice(0, 1) : SERVERS;
}

/** In how long so many players join, ms: evenly, and not faster than any server takes them. */
export function joinWithinMs(players: number): number {
  return Math.max(MIN_JOIN_MS, players * JOIN_MS_EACH);
}

/** One number of players where the options name one, else those of the whole or the quick run. */
export function sizesOf(
  options: Options,
  mbps: number,
  whole: readonly number[],
  quick: readonly number[],
): Size[] {
  if (options.mbps !== undefined && options.mbps !== mbps) return [];
  const players = options.players === undefined ? (options.isQuick ? quick : whole) : [options.players];
  return players.map((count) => ({ players: count, mbps }));
}
