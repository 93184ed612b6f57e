// Who feeds whom, by cost: random clusters of several regions in simulated time, with prices, in which nodes come and die.
// In time they settle, and then nobody moves any more.
import { expect, test } from 'vitest';
import { ringIn, SimNet, type SimNode } from '../../support/mesh-sim.ts';
import { randomOf } from '../../support/random-of.ts';

const RUNS = 10;
const IDS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'];
const REGIONS = ['eu', 'us', 'ap'];
const LATENCY_MS = 20;
/** Lookups come each 20 s at most, a move is made 4 s later, and after it none for 30 s. */
const SETTLE_MS = 150_000;
const REST_MS = 60_000;
const MAX_HOPS = 4;

class CostRun {
  readonly #random: () => number;
  readonly #net: SimNet;
  readonly #regions: Readonly<Record<string, string>>;
  readonly #hasPrices: boolean;
  readonly faults: string[] = [];
  moves = 0;

  constructor(seed: number) {
    const random = randomOf(seed);
    this.#random = random;
    const regionOf = () => REGIONS[Math.floor(random() * REGIONS.length)] ?? '';
    this.#regions = Object.fromEntries(IDS.map((id) => [id, regionOf()]));
    this.#hasPrices = random() < 0.7;
    const pairs = REGIONS.flatMap((from) => REGIONS.map((to) => ({ from, to })));
    this.#net = new SimNet(IDS, {
      ...{ latencyMs: LATENCY_MS, random, regions: this.#regions },
      softChildren: 2 + Math.floor(random() * 5),
      prices: this.#hasPrices ? pairs.map((pair) => ({ ...pair, price: 0.02 + random() / 10 })) : [],
    });
    const ways = new Map(pairs.map(({ from, to }) => [[from, to].sort().join(), 20 + random() * 180]));
    const shifts = new Map(IDS.map((id) => [id, random() * 4]));
    this.#net.rttMs = (a, b) => {
      const [from = '', to = ''] = [this.#regions[a], this.#regions[b]];
      const shift = (shifts.get(a) ?? 0) + (shifts.get(b) ?? 0);
      // Measurements are never the same twice.
      return shift + (from === to ? 1 : (ways.get([from, to].sort().join()) ?? 0)) + random() * 5;
    };
  }

  async run(): Promise<void> {
    const net = this.#net;
    net.node('a').publish(1000 * 4096);
    await this.#pass(300);
    for (const node of net.nodes) {
      if (this.#random() < 0.5) await this.#pass(this.#random() * 2_000);
      // One that is killed gives up waiting in its time.
      node.play().catch(() => {});
    }
    for (let turn = 0; turn < 3; turn += 1) {
      await this.#pass(this.#random() * 30_000);
      const victim = net.up[1 + Math.floor(this.#random() * (net.up.length - 1))];
      if (victim && net.up.length > 5) victim.kill();
    }
    await this.#pass(SETTLE_MS);
    const before = this.#net.up.map(({ parent }) => parent);
    const moves = this.#count();
    await this.#pass(REST_MS);
    if (this.#count() !== moves) this.faults.push(`${this.#count() - moves} moves at rest, of ${before}`);
    this.moves = moves;
    this.#expectTree();
  }

  async #pass(ms: number): Promise<void> {
    await this.#net.run(ms);
    // A path goes round a ring in a moment: one that is seen stands.
    const ring = ringIn(this.#net.up);
    if (ring) this.faults.push(`${ring} feed each other`);
  }

  #count(): number {
    const counts = this.#net.up.flatMap(({ replicas }) => replicas.switches.samples());
    return counts.reduce((sum, { value }) => sum + value, 0);
  }

  #expectTree(): void {
    const crossing = new Map<string, string[]>();
    for (const node of this.#net.up) {
      this.#expectFed(node);
      const region = this.#regions[node.id] ?? '';
      if (node.parent !== undefined && this.#regions[node.parent] !== region) {
        crossing.set(region, [...(crossing.get(region) ?? []), `${node.parent}->${node.id}`]);
      }
    }
    for (const [region, ways] of crossing) {
      if (region === this.#regions.a) this.faults.push(`${ways} goes back into the region of the origin`);
      if (this.#hasPrices && ways.length > 1) this.faults.push(`${ways} go to ${region}`);
    }
  }

  #expectFed({ id, sinks, replicas, stream, parent }: SimNode): void {
    const [sink] = sinks;
    const ids = sink?.ids ?? [];
    if (this.#net.sent - (ids.at(-1) ?? 0) > 3) this.faults.push(`${id} is not fed, by ${parent}`);
    if (ids.some((frame, at) => frame !== (ids[0] ?? 0) + at)) this.faults.push(`${id} lost frames`);
    if (sink?.isOver) this.faults.push(`${id} lost its player`);
    const hops = (stream && replicas.get(stream.key)?.path?.length) ?? 1;
    if (hops > MAX_HOPS + 1) this.faults.push(`${id} is ${hops - 1} links from the origin`);
  }
}

test('nodes of several regions settle in a tree in which nobody moves, and one copy crosses a border', async () => {
  const wrong: string[] = [];
  let moves = 0;
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const run = new CostRun(seed);
    await run.run();
    moves += run.moves;
    if (run.faults.length > 0) wrong.push(`seed ${seed}: ${run.faults.slice(0, 3).join('; ')}`);
  }
  expect(wrong).toEqual([]);
  // Fewer than two for each node that ever played, the first included.
  expect(moves / RUNS).toBeLessThan(2 * IDS.length);
  expect(moves / RUNS).toBeGreaterThan(IDS.length / 2);
}, 60_000);
