// What this node may send a second: what its operator says, else what its network interface can, else a guess from what it
// has sent. It owns the figure; what is too much of it is for routing to say.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { readText, wholeNumber } from './small-file.ts';

export interface Capacity {
  readonly bytesPerS: number;
  readonly from: 'config' | 'interface' | 'measured';
}

export interface SendCapacityOptions {
  /** `node.capacityMbps`. */
  readonly capacityMbps: number | undefined;
  /** Where /proc and /sys are looked for. */
  readonly root?: string;
}

export const BYTES_PER_MBIT = 125_000;
/** What a node of which nothing is known is taken for: 1 Gbit/s. */
const LEAST_GUESS_BYTES_PER_S = 1_000 * BYTES_PER_MBIT;
/** Room that is thought to be above the most that was ever sent. */
const GUESS_OVER_PEAK = 2;
/** Asking some drivers takes a lock of the whole network stack, so not each second. */
const LOOK_EVERY_MS = 60_000;
const UP = 1;

export class SendCapacity {
  readonly #root: string;
  readonly #capacityMbps: number | undefined;
  readonly #clock: Clock;
  #speed: { readonly mbps: number | undefined; readonly atMs: number } | undefined;
  #peakBytesPerS = 0;

  constructor({ capacityMbps, root = '/' }: SendCapacityOptions, clock: Clock) {
    this.#capacityMbps = capacityMbps;
    this.#root = root;
    this.#clock = clock;
  }

  /**
   * A guess is 1 Gbit/s, or twice the most that was ever sent if that is more. What was sent has proven that it can be,
   * and says nothing of what more can be: so a node with little to do does not look full, a busy one looks half full
   * beside those whose capacity is known, and none is ever refused for a limit that nobody knows.
   * @param sentBytesPerS smoothed
   */
  read(sentBytesPerS: number): Capacity {
    this.#peakBytesPerS = Math.max(this.#peakBytesPerS, sentBytesPerS);
    if (this.#capacityMbps !== undefined) {
      return { bytesPerS: this.#capacityMbps * BYTES_PER_MBIT, from: 'config' };
    }
    const mbps = this.#interfaceMbps();
    if (mbps !== undefined) return { bytesPerS: mbps * BYTES_PER_MBIT, from: 'interface' };
    const guess = Math.round(this.#peakBytesPerS * GUESS_OVER_PEAK);
    return { bytesPerS: Math.max(LEAST_GUESS_BYTES_PER_S, guess), from: 'measured' };
  }

  #interfaceMbps(): number | undefined {
    const nowMs = this.#clock.now();
    if (!this.#speed || nowMs - this.#speed.atMs >= LOOK_EVERY_MS) {
      this.#speed = { mbps: defaultInterfaceMbps(this.#root), atMs: nowMs };
    }
    return this.#speed.mbps;
  }
}

/** Undefined: there is no default route over IPv4, or its interface has no speed, as those of most virtual machines (-1). */
function defaultInterfaceMbps(root: string): number | undefined {
  const name = defaultInterface(readText(join(root, 'proc/net/route')) ?? '');
  if (name === undefined) return undefined;
  const folder = join(root, 'sys/class/net', name);
  return hasRealSpeed(folder) ? wholeNumber(readText(join(folder, 'speed'))) || undefined : undefined;
}

/** veth says 10 Gbit/s and tun 10 Mbit/s, whatever is behind. Neither has a device, nor a type, as bonds and VLANs do. */
function hasRealSpeed(folder: string): boolean {
  return existsSync(join(folder, 'device')) || /^DEVTYPE=/m.test(readText(join(folder, 'uevent')) ?? '');
}

/** `Iface Destination Gateway Flags RefCnt Use Metric Mask …`, numbers in hex but for the metric; the lowest one counts. */
function defaultInterface(text: string): string | undefined {
  const routes = text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([name = '', to, , flags = '', , , , mask]) => {
      const isDefault = to === '00000000' && mask === '00000000';
      return isDefault && (Number.parseInt(flags, 16) & UP) !== 0 && /^(?!\.{1,2}$)[^/]{1,15}$/.test(name);
    })
    .map(([name, , , , , , metric]) => ({ name, metric: wholeNumber(metric) ?? Number.POSITIVE_INFINITY }));
  return routes.sort((a, b) => a.metric - b.metric)[0]?.name;
}
