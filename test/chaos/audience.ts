// Publishers of numbered frames, and at each node a player of each stream: they come again whatever happens, and what they
// see is held against the rules.
import { PLAYER_FORMATS } from '../support/checked-player.ts';
import { PLANS, type PlanName } from '../support/numbered-media.ts';
import { Encoder } from './encoder.ts';
import { Seat } from './seat.ts';
import { isFresh, type OnAir, SeatOracle } from './seat-oracle.ts';
import type { Site } from './site.ts';
import type { Rule } from './violation.ts';
import type { World } from './world.ts';

const PROGRAM: readonly PlanName[] = [
  '25 frames/s and audio',
  '10 frames/s',
  '25 frames/s and audio',
  'audio only',
];
/** Keys of the streams that are played. */
export const STREAMS: readonly string[] = PROGRAM.map((_, at) => `chaos/${at + 1}`);
/** Sessions of one encoder stay below the next one's. */
const SESSIONS_EACH = 100_000;
/** An encoder that is taken nowhere for so long is one too many. */
const OFF_AIR_MS = 12_000;
/** A registry that was away may not be asked for so long after it is back. */
const REGISTRY_LACK_MS = 5_000;

export interface AudienceFigures {
  readonly frames: number;
  /** Frames that a player never got though it was there before and after. */
  readonly lost: { readonly withWay: number; readonly withoutWay: number };
  /** Waits of more than 250 ms for a frame while there was a way, ms. */
  readonly gapsMs: readonly number[];
  /** Players that came again since their node was killed. */
  readonly playersAgain: number;
  /** Players that were told no, by how. */
  readonly refusedPlayers: Readonly<Record<string, number>>;
  /** Times that a provisional claim lost to one that was granted: its publisher was ended, and came again. */
  readonly publishersOutvoted: number;
  /** Times that an encoder began again. */
  readonly publishersAgain: number;
  readonly refusedPublishers: Readonly<Record<string, number>>;
  /** The longest that an encoder was off the air, ms. */
  readonly longestOffAirMs: number;
}

interface Watched {
  readonly seat: Seat;
  readonly encoder: Encoder;
  readonly oracle: SeatOracle;
}

export interface AudienceNeeds {
  readonly site: Site;
  readonly world: World;
  readonly violated: (rule: Rule, detail: string) => void;
}

export class Audience implements AsyncDisposable {
  readonly encoders: readonly Encoder[];
  readonly #watched: readonly Watched[];
  readonly #needs: AudienceNeeds;
  readonly #refused = new Map<string, number>();
  /** Encoders whose time off the air was told. */
  readonly #late = new Set<Encoder>();
  /** When an encoder's session was last outranked by its ghost, ms. */
  readonly #contestedMs = new Map<Encoder, number>();
  #playersAgain = 0;
  #publishersOutvoted = 0;
  #longestOffAirMs = 0;

  constructor(needs: AudienceNeeds) {
    this.#needs = needs;
    const { site, world, violated } = needs;
    this.encoders = PROGRAM.map((plan, at) => {
      const home = site.ids[at % site.ids.length] ?? '';
      const key = STREAMS[at] ?? '';
      return new Encoder(site, world, { key, plan: PLANS[plan], home, firstSession: 1 + at * SESSIONS_EACH });
    });
    this.#watched = this.encoders.flatMap((encoder, row) =>
      site.ids.map((node, column) => {
        const format = PLAYER_FORMATS[(row + column) % PLAYER_FORMATS.length] ?? 'rtmp';
        const seat = new Seat(site, world, { node, key: encoder.key, format });
        return { seat, encoder, oracle: new SeatOracle(seat.name, violated) };
      }),
    );
  }

  /** To be called some times a second. */
  look(nowMs: number): void {
    for (const { seat, encoder, oracle } of this.#watched) {
      const hasWay = this.#hasWay(encoder, seat.node, nowMs);
      oracle.look(nowMs, { check: seat.check, onAir: this.#due(encoder, nowMs), hasWay });
      this.#lookAtEnds(seat);
    }
    for (const encoder of this.encoders) this.#lookAtEncoder(encoder, nowMs);
  }

  /** Seats that do not play what their encoder sends just now, in words. */
  behind(nowMs: number): string[] {
    return this.#watched.flatMap(({ seat, encoder }) => {
      const session = encoder.onAir?.session;
      if (session !== undefined && isFresh(seat.check, session, nowMs)) return [];
      return [`${seat.name} plays session ${seat.check?.session}, on the air is ${session}`];
    });
  }

  /** Arrivals that are older are of no use any more. */
  forgetArrivals(beforeMs: number): void {
    for (const { seat } of this.#watched) seat.check?.forgetArrivals(beforeMs);
  }

  figures(): AudienceFigures {
    const oracles = this.#watched.map(({ oracle }) => oracle);
    const sum = (of: (oracle: SeatOracle) => number) => oracles.reduce((total, each) => total + of(each), 0);
    return {
      frames: sum(({ frames }) => frames),
      lost: { withWay: sum(({ lost }) => lost.withWay), withoutWay: sum(({ lost }) => lost.withoutWay) },
      gapsMs: oracles.flatMap(({ gapsMs }) => gapsMs),
      playersAgain: this.#playersAgain,
      refusedPlayers: Object.fromEntries(this.#refused),
      publishersOutvoted: this.#publishersOutvoted,
      publishersAgain: this.encoders.reduce((total, { reconnects }) => total + reconnects, 0),
      refusedPublishers: summed(this.encoders.flatMap(({ refusals }) => [...refusals])),
      longestOffAirMs: this.#longestOffAirMs,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#watched.map(({ seat }) => seat), ...this.encoders];
    await Promise.all(all.map((each) => each.stop()));
  }

  /**
   * What players are due. Who came while the registry could not be asked does not displace a ghost whose claim was granted: until
   * that is over it is as if it had begun only now.
   */
  #due(encoder: Encoder, nowMs: number): OnAir | undefined {
    const { onAir, hasGhost } = encoder;
    if (!onAir) return undefined;
    const { node, sinceMs } = onAir;
    if (hasGhost && this.#needs.world.lackedRegistry(node, sinceMs - REGISTRY_LACK_MS)) {
      this.#contestedMs.set(encoder, nowMs);
    }
    return { ...onAir, sinceMs: Math.max(sinceMs, this.#contestedMs.get(encoder) ?? 0) };
  }

  /** Over nodes that have the stream, as their own players show. */
  #hasWay({ key, onAir }: Encoder, to: string, nowMs: number): boolean {
    if (!onAir) return false;
    return this.#needs.world.hasWay(onAir.node, to, (node) => {
      const there = this.#watched.find(({ seat }) => seat.key === key && seat.node === node);
      return isFresh(there?.seat.check, onAir.session, nowMs);
    });
  }

  #lookAtEnds(seat: Seat): void {
    for (const { how, byDeath } of seat.takeEndings()) {
      if (byDeath) this.#playersAgain += 1;
      else this.#needs.violated('players-stay', `${seat.name} was ended: ${how}`);
    }
    for (const how of seat.takeRefusals()) this.#refused.set(how, (this.#refused.get(how) ?? 0) + 1);
  }

  /**
   * A publisher that came while the registry could not be asked has no more than a provisional claim: it loses to one that was
   * granted, if that stands yet when the registry is back (design §5).
   */
  #lookAtThrownOut({ key }: Encoder, { node, sinceMs }: OnAir): void {
    const { site, world, violated } = this.#needs;
    const end = site
      .node(node)
      .lines.findLast(({ event, stream }) => event === 'publish.end' && stream === key);
    const isOutvoted =
      end?.reason === 'publish.taken-over' && world.lackedRegistry(node, sinceMs - REGISTRY_LACK_MS);
    if (isOutvoted) this.#publishersOutvoted += 1;
    else violated('publishers-stay', `${key} was ended by ${node}, which lived: ${JSON.stringify(end)}`);
  }

  #lookAtEncoder(encoder: Encoder, nowMs: number): void {
    for (const onAir of encoder.takeThrownOut()) this.#lookAtThrownOut(encoder, onAir);
    const { offSinceMs } = encoder;
    if (offSinceMs === undefined) {
      this.#late.delete(encoder);
      return;
    }
    const offMs = Math.round(nowMs - offSinceMs);
    this.#longestOffAirMs = Math.max(this.#longestOffAirMs, offMs);
    if (offMs < OFF_AIR_MS || this.#late.has(encoder)) return;
    this.#late.add(encoder);
    const told = [...encoder.refusals].map(([how, count]) => `${how} (${count})`).join('; ');
    this.#needs.violated(
      'publishers-are-taken',
      `${encoder.key} was not taken for ${OFF_AIR_MS} ms: ${told}`,
    );
  }
}

function summed(counts: readonly (readonly [string, number])[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [name, count] of counts) sums[name] = (sums[name] ?? 0) + count;
  return sums;
}
