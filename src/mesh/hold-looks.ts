// When a replica in hold looks for a source: soon, and then less often.
import { type Clock, jittered, type Timer } from '../base/clock.ts';

/** After these, then each second. */
const LOOK_AGAIN_MS = [100, 200, 400, 1_000];

export interface HoldLooksNeeds {
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly look: () => void;
}

export class HoldLooks {
  readonly #needs: HoldLooksNeeds;
  #looks = 0;
  #timer: Timer | undefined;

  constructor(needs: HoldLooksNeeds) {
    this.#needs = needs;
  }

  /** Once more, in a while. */
  again(): void {
    const { clock, random, look } = this.#needs;
    const ms = LOOK_AGAIN_MS[Math.min(this.#looks, LOOK_AGAIN_MS.length - 1)] ?? 0;
    this.#looks += 1;
    this.#timer?.cancel();
    this.#timer = clock.after(jittered(ms, random), look);
  }

  /** Not now; the next hold begins from where this one was. Calm when repeated. */
  stop(): void {
    this.#timer?.cancel();
  }

  /** Not now; the next hold begins anew. */
  reset(): void {
    this.stop();
    this.#looks = 0;
  }
}
