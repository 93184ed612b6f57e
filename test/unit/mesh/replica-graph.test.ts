// Who feeds whom, under churn: random clusters in simulated time, in which nodes die, links fall silent or close, and
// many replicas change their upstream at once.
import { describe, expect, test } from 'vitest';
import { ringIn, SimNet, type SimNode } from '../../support/mesh-sim.ts';
import { randomOf } from '../../support/random-of.ts';

/** 600 runs together; each batch fits the time of a test. */
const BATCHES = 10;
const RUNS_EACH = 60;
const IDS = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const LATENCY_MS = 5;

class GraphRun {
  readonly #random: () => number;
  readonly #net: SimNet;
  readonly #faults: string[] = [];
  #ring: { name: string; sinceMs: number } | undefined;
  #epoch = 1000;
  ringsSeen = 0;

  constructor(seed: number) {
    this.#random = randomOf(seed);
    const ids = IDS.slice(0, 4 + Math.floor(this.#random() * 4));
    const softChildren = 1 + Math.floor(this.#random() * 3);
    this.#net = new SimNet(ids, { latencyMs: LATENCY_MS, softChildren, random: this.#random });
  }

  async run(): Promise<{ faults: readonly string[]; ringsSeen: number }> {
    const net = this.#net;
    this.#publish(net.node('a'));
    for (const node of net.nodes) {
      await this.#pass(this.#random() * 40);
      void node.play();
    }
    await this.#pass(400);
    for (let turn = 0; turn < 12; turn += 1) {
      this.#disturb();
      await this.#pass(this.#random() * 300);
    }
    net.walls.clear();
    for (const a of net.up) for (const b of net.up) if (a.id < b.id) net.deafen(a.id, b.id, false);
    if (!net.up.some(({ isOrigin }) => isOrigin)) this.#publish(this.#pick(net.up));
    await this.#pass(6_000);
    this.#expectRest();
    return { faults: this.#faults, ringsSeen: this.ringsSeen };
  }

  #publish(node: SimNode): void {
    for (const other of this.#net.up) if (other !== node && other.isOrigin) other.unpublish();
    this.#epoch += 1;
    node.publish(this.#epoch * 4096);
  }

  #disturb(): void {
    const { up } = this.#net;
    const dice = this.#random();
    const a = this.#pick(up);
    const b = this.#pick(up);
    if (dice < 0.1 && up.length > 3 && !a.isOrigin) a.kill();
    else if (dice < 0.2) this.#publish(a);
    else if (dice < 0.4) this.#part(a, b);
    else if (dice < 0.6) this.#net.deafen(a.id, b.id, this.#random() < 0.5);
    // All at once, and wherever they find to go.
    else for (const node of up) this.#unsettle(node);
  }

  /** Their link closes, and for half of the pairs there is no other until the end. */
  #part(a: SimNode, b: SimNode): void {
    if (this.#random() < 0.5) this.#net.walls.add([a.id, b.id].sort().join(''));
    a.links.get(b.id)?.close();
  }

  #unsettle(node: SimNode): void {
    const peer = node.parent === undefined ? undefined : node.links.get(node.parent);
    if (peer && this.#random() < 0.8) node.relay.control(peer, { is: 'goaway', deadlineMs: 1000 });
  }

  async #pass(ms: number): Promise<void> {
    await this.#net.run(ms, () => this.#watch());
  }

  /** A ring may stand while its paths go round it once. */
  #watch(): void {
    const nowMs = this.#net.clock.now();
    const ring = ringIn(this.#net.up);
    const name = ring?.join('');
    if (name === undefined) this.#ring = undefined;
    else if (name !== this.#ring?.name) {
      this.#ring = { name, sinceMs: nowMs };
      this.ringsSeen += 1;
    } else if (nowMs - this.#ring.sinceMs > (name.length + 1) * LATENCY_MS) {
      this.#faults.push(`${name} fed each other for ${nowMs - this.#ring.sinceMs} ms`);
    }
  }

  #expectRest(): void {
    if (ringIn(this.#net.up)) this.#faults.push('a ring at rest');
    for (const node of this.#net.up) {
      const [sink] = node.sinks;
      const last = sink?.ids.at(-1) ?? 0;
      if (this.#net.sent - last > 3)
        this.#faults.push(`${node.id} has ${last} of ${this.#net.sent}, from ${node.parent}`);
      if (sink?.isOver) this.#faults.push(`${node.id} lost its player: ${sink.ends[0]?.code}`);
      if (new Set(sink?.ids).size !== sink?.ids.length) this.#faults.push(`${node.id} got frames twice`);
      const depth = node.replicas.get(node.stream?.key ?? ('' as never))?.path?.length ?? 1;
      if (depth > 5) this.#faults.push(`${node.id} is ${depth - 1} links from the origin`);
    }
  }

  #pick(nodes: readonly SimNode[]): SimNode {
    const node = nodes[Math.floor(this.#random() * nodes.length)];
    if (!node) throw new Error('no node is up');
    return node;
  }
}

describe('random clusters', () => {
  let ringsSeen = 0;

  test.each(Array.from({ length: BATCHES }, (_, at) => at * RUNS_EACH + 1))(
    'no ring outlives one round of its paths, and at rest every player is fed: seeds from %i on',
    async (first) => {
      const wrong: string[] = [];
      for (let seed = first; seed < first + RUNS_EACH; seed += 1) {
        const run = await new GraphRun(seed).run();
        ringsSeen += run.ringsSeen;
        if (run.faults.length > 0) wrong.push(`seed ${seed}: ${run.faults.slice(0, 3).join('; ')}`);
      }
      expect(wrong.slice(0, 10)).toEqual([]);
    },
  );

  test('there were rings to be broken', () => {
    expect(ringsSeen).toBeGreaterThan(0);
  });
});
