// Streams that this node was asked to have ready, by whom and until when. It says which are wanted and has those sought
// that are not here; whoever relays them keeps them for that (replica.ts).
import { type Clock, every, type Timer } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import { CodeCounter } from '../observe/metrics.ts';
import type { QuietLog } from './quiet-log.ts';

/** Wants at once, over all streams and those who ask: as many streams as a node may have. */
export const MAX_WANTS = 10_000;
const LOOK_EVERY_MS = 1_000;
/** A stream that was not found is sought again after so long, should the news of it have been lost. */
export const SEEK_AGAIN_MS = 5_000;
/** So many of them in one look: each costs a lookup. */
export const SEEKS_AT_ONCE = 20;

export interface WantsNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly quietLog: Pick<QuietLog, 'wantRefused'>;
  /** Does this node give up what it has for others? Then nothing is wanted here. */
  readonly isDraining: () => boolean;
  /** Is it too short of memory for a stream that it does not have yet? */
  readonly refusesJoins: () => boolean;
  /** Is the stream here, or looked for? */
  readonly isHere: (key: StreamKey) => boolean;
  readonly seek: (key: StreamKey) => void;
}

interface Want {
  /** Those who asked, and until when; as many as want it. */
  readonly by: Map<string, number>;
  soughtMs: number;
}

const DRAINING: Reason = { code: 'preload.draining', message: 'this node is draining: ask another' };
const NO_MEMORY: Reason = {
  code: 'preload.no-memory',
  message: 'the media of this node use nearly all the memory they may',
};
const TOO_MANY: Reason = {
  code: 'preload.too-many-wants',
  message: `this node was asked to have ${MAX_WANTS} streams ready already`,
};

export class Wants {
  readonly #needs: WantsNeeds;
  /** Those that were sought last are at the end. Bounded by MAX_WANTS, askers counted. */
  readonly #wants = new Map<StreamKey, Want>();
  #count = 0;
  #timer: Timer | undefined;
  /** Counters that metrics read. */
  taken = 0;
  readonly refused = new CodeCounter();
  soughtAgain = 0;

  constructor(needs: WantsNeeds) {
    this.#needs = needs;
  }

  /** Wants at once; a stream that several ask for counts as often. */
  get count(): number {
    return this.#count;
  }

  get table(): Table {
    return { table: 'wants', entries: this.#count, limit: MAX_WANTS };
  }

  /** Is the stream to be here, played or not? */
  has(key: StreamKey): boolean {
    const want = this.#wants.get(key);
    if (!want || this.#needs.isDraining()) return false;
    const nowMs = this.#needs.clock.now();
    for (const untilMs of want.by.values()) if (untilMs > nowMs) return true;
    return false;
  }

  /**
   * A node asks to have the stream here for `ttlMs` from now, or for longer than before; 0: no longer.
   * @returns why not
   */
  ask(by: string, key: StreamKey, ttlMs: number): Reason | undefined {
    if (ttlMs === 0) {
      this.#end(by, key, 'asked');
      return undefined;
    }
    const isRenewed = this.#wants.get(key)?.by.has(by) === true;
    const why = this.#refusal(isRenewed);
    if (why) {
      this.refused.count(why.code);
      this.#needs.quietLog.wantRefused(by, { stream: key, by, code: why.code, detail: why.message });
      return why;
    }
    const nowMs = this.#needs.clock.now();
    const want = this.#wants.get(key) ?? { by: new Map<string, number>(), soughtMs: nowMs };
    this.#wants.set(key, want);
    want.by.set(by, nowMs + ttlMs);
    if (isRenewed) return undefined;
    this.#count += 1;
    this.taken += 1;
    this.#timer ??= every(this.#needs.clock, LOOK_EVERY_MS, () => this.#look());
    this.#needs.log.info({ stream: key, by, ttlMs }, 'preload.wanted');
    this.#seek(key, want, nowMs);
    return undefined;
  }

  /** Nothing is wanted any more. Calm when repeated. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#wants.clear();
    this.#count = 0;
  }

  #refusal(isRenewed: boolean): Reason | undefined {
    if (this.#needs.isDraining()) return DRAINING;
    if (isRenewed) return undefined;
    if (this.#needs.refusesJoins()) return NO_MEMORY;
    return this.#count >= MAX_WANTS ? TOO_MANY : undefined;
  }

  #end(by: string, key: StreamKey, how: 'asked' | 'ran-out'): void {
    const want = this.#wants.get(key);
    if (!want?.by.delete(by)) return;
    this.#count -= 1;
    this.#needs.log.info({ stream: key, by, how }, 'preload.unwanted');
    if (want.by.size === 0) this.#wants.delete(key);
    if (this.#wants.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #seek(key: StreamKey, want: Want, nowMs: number): void {
    want.soughtMs = nowMs;
    // Behind all others: those that wait longest are the next.
    this.#wants.delete(key);
    this.#wants.set(key, want);
    if (!this.#needs.isHere(key)) this.#needs.seek(key);
  }

  #look(): void {
    const nowMs = this.#needs.clock.now();
    let left = this.#needs.isDraining() ? 0 : SEEKS_AT_ONCE;
    // A row of its own: who is sought goes to the end of the other.
    for (const [key, want] of [...this.#wants]) {
      for (const [by, untilMs] of [...want.by]) if (untilMs <= nowMs) this.#end(by, key, 'ran-out');
      if (left === 0 || want.by.size === 0 || nowMs - want.soughtMs < SEEK_AGAIN_MS) continue;
      if (this.#needs.isHere(key)) continue;
      left -= 1;
      this.soughtAgain += 1;
      this.#seek(key, want, nowMs);
    }
  }
}
