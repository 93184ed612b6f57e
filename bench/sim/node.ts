// One simulated node: what it does and what it tells of that, smoothed as by the probe, and its own router.
import type { NodeView } from '../../src/routing/node-view.ts';
import type { Router } from '../../src/routing/router.ts';
import type { NodeSpec } from './world.ts';

/** Of the probe: a change is down to a third after so long. */
const SMOOTHED_MS = 2_000;
export const BEAT_MS = 1_000;
export const VERSION = '1.0.0';
/** As src/routing/score.ts takes it. */
const CORE_PER_BYTE = 2e-9;

export interface SimNodeOptions extends NodeSpec {
  readonly regionName: string;
  /** What it may send. Its CPU is full there, too, by as many cores as that takes. */
  readonly capacityBytesPerS: number;
  /** Does it answer who asks where to go? */
  readonly isAsked: boolean;
}

export class SimNode implements NodeSpec {
  readonly name: string;
  readonly region: number;
  readonly regionName: string;
  readonly capacityBytesPerS: number;
  readonly isAsked: boolean;
  /** Its own, or if it is not asked, one that sees the same. */
  readonly router: Router;
  /** What it sends right now. */
  sentBytesPerS = 0;
  players = 0;
  streams = 0;
  isAlive = true;
  /** It knows of others, and they of it. */
  isReady = false;
  diedAtMs = 0;
  /** Players that came since it was looked at last, and how many there should have been (watch.ts). */
  arrived = 0;
  due = 0;
  #smoothed = 0;

  constructor({ name, region, regionName, capacityBytesPerS, isAsked }: SimNodeOptions, router: Router) {
    this.isAsked = isAsked;
    this.name = name;
    this.region = region;
    this.regionName = regionName;
    this.capacityBytesPerS = capacityBytesPerS;
    this.router = router;
  }

  /** As a part of what it can do. */
  get load(): number {
    return this.sentBytesPerS / this.capacityBytesPerS;
  }

  /** What its next beat tells. */
  beat(rttMs: NodeView['rttMs']): NodeView {
    this.isReady = true;
    this.#smoothed += (this.sentBytesPerS - this.#smoothed) * (1 - Math.exp(-BEAT_MS / SMOOTHED_MS));
    const busy = Math.min(1, this.#smoothed / this.capacityBytesPerS);
    return {
      ...{ node: this.name, region: this.regionName, zone: '', version: VERSION, draining: false, rttMs },
      ...{ rtmp: this.name, http: this.name },
      load: {
        ...{ cpu: busy, loopBusy: busy, loopLagMs: 1, memory: 0.2 },
        ...{ sentBytesPerS: this.#smoothed, capacityBytesPerS: this.capacityBytesPerS },
        ...{ players: this.players, streams: this.streams },
      },
    };
  }
}

/** What a node of one core can send. */
export const CORE_BYTES_PER_S = 1 / CORE_PER_BYTE;
