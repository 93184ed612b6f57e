// The rules that hold for what one seat sees, all the time. Pure: it is told the time, and what there is to see.
import type { FrameCheck } from '../support/frame-check.ts';
import type { Rule } from './violation.ts';
import { Way } from './way.ts';

/** While there is a way, no player waits longer for a frame. */
export const STARVED_MS = 4_000;
/** Nodes keep at least this much of each stream (`stream.logMs`): somebody without a way for longer may lose some. */
const LOG_MS = 10_000;
const LOG_SLACK_MS = 2_000;
/** Waits above this are counted as gaps. */
const GAP_MS = 250;
/** Who got a frame within this has the stream. */
const FRESH_MS = 1_000;

/** How often something of a player was wrong, and which rule that breaks. */
const WRONGS: readonly { readonly rule: Rule; readonly of: (check: FrameCheck) => number }[] = [
  { rule: 'whole-frames', of: ({ corrupt }) => corrupt },
  { rule: 'once-in-order', of: ({ duplicated, disordered }) => duplicated + disordered },
  { rule: 'time-goes-on', of: ({ backward, leaps }) => backward + leaps },
  { rule: 'clean-starts', of: ({ badStarts }) => badStarts },
  { rule: 'epoch-never-falls', of: ({ setbacks }) => setbacks },
];

/** What is published now: which session, by which node, since when. */
export interface OnAir {
  readonly session: number;
  readonly node: string;
  /** By `performance.now()`. */
  readonly sinceMs: number;
}

export interface Sight {
  /** What the player in the seat, or the last one there, has seen; undefined: there was none yet. */
  readonly check: FrameCheck | undefined;
  /** Undefined: nobody publishes. */
  readonly onAir: OnAir | undefined;
  /** There is a way from the publisher's node to the seat's. */
  readonly hasWay: boolean;
}

export class SeatOracle {
  readonly #name: string;
  readonly #violated: (rule: Rule, detail: string) => void;
  readonly #way = new Way();
  /** The player whose faults are counted. */
  #check: FrameCheck | undefined;
  #wrongs = WRONGS.map(() => 0);
  #lostSeen = 0;
  /** When the newest frame came that was there at the last look, ms. */
  #lastCameMs = Number.NEGATIVE_INFINITY;
  #waitedMs = 0;
  #isStarved = false;
  /** Of players that are over. */
  #framesBefore = 0;
  /** Frames that a player never got though it was there before and after. */
  readonly lost = { withWay: 0, withoutWay: 0 };
  /** Waits for a frame while there was a way, ms. */
  readonly gapsMs: number[] = [];

  /** @param name of the seat, in words */
  constructor(name: string, violated: (rule: Rule, detail: string) => void) {
    this.#name = name;
    this.#violated = violated;
  }

  /** Frames that came, of all its players. */
  get frames(): number {
    return this.#framesBefore + (this.#check?.frames ?? 0);
  }

  /** To be called some times a second. */
  look(nowMs: number, { check, onAir, hasWay }: Sight): void {
    this.#way.is(onAir !== undefined && hasWay, nowMs);
    if (check) this.#lookAtFrames(nowMs, check);
    if (onAir) this.#lookAtWait(nowMs, check, onAir);
  }

  #lookAtFrames(nowMs: number, check: FrameCheck): void {
    if (check !== this.#check) {
      this.#framesBefore = this.frames;
      this.#check = check;
      this.#wrongs = WRONGS.map(() => 0);
      this.#lostSeen = 0;
    }
    for (const [at, { rule, of }] of WRONGS.entries()) {
      const count = of(check);
      if (count > (this.#wrongs[at] ?? 0)) this.#violated(rule, `${this.#name}: ${check.words.join('; ')}`);
      this.#wrongs[at] = count;
    }
    const lost = check.lost + check.missedStarts;
    if (lost > this.#lostSeen) this.#loses(lost - this.#lostSeen, nowMs, check);
    this.#lostSeen = lost;
    this.#lastCameMs = check.arrivalsMs.at(-1) ?? this.#lastCameMs;
  }

  #loses(count: number, nowMs: number, { words, missedStarts }: FrameCheck): void {
    const lackMs = this.#way.longestLackMs(nowMs, this.#lastCameMs);
    if (lackMs > LOG_MS - LOG_SLACK_MS) {
      this.lost.withoutWay += count;
      return;
    }
    this.lost.withWay += count;
    const lacked = `without a way for ${Math.round(lackMs)} ms at most, ${missedStarts} at starts of sessions`;
    this.#violated('no-loss', `${this.#name} lost ${count} frames, ${lacked}: ${words.join('; ')}`);
  }

  #lookAtWait(nowMs: number, check: FrameCheck | undefined, { session, node, sinceMs }: OnAir): void {
    const lastMs = check?.session === session ? check.arrivalsMs.at(-1) : undefined;
    const waitedMs = nowMs - Math.max(lastMs ?? 0, this.#way.sinceMs ?? nowMs, sinceMs);
    if (waitedMs < this.#waitedMs) {
      if (this.#waitedMs > GAP_MS) this.gapsMs.push(Math.round(this.#waitedMs));
      this.#isStarved = false;
    }
    this.#waitedMs = waitedMs;
    if (waitedMs <= STARVED_MS || this.#isStarved) return;
    this.#isStarved = true;
    const what = `session ${session} of node ${node}, and got nothing of it for ${STARVED_MS} ms`;
    this.#violated('no-starving', `${this.#name} has a way from ${what}`);
  }
}

/** It has got a frame of this session just now. */
export function isFresh(check: FrameCheck | undefined, session: number, nowMs: number): boolean {
  return check?.session === session && (check.arrivalsMs.at(-1) ?? 0) > nowMs - FRESH_MS;
}
