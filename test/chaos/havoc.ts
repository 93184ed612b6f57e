// Does what a plan says: each fault when it is due, for as long as it lasts, and undoes it; the world is told.
import { setTimeout as delay } from 'node:timers/promises';
import { Attacks } from '../fuzz/attacks.ts';
import type { Encoder } from './encoder.ts';
import { slowPlayers, strangers } from './pests.ts';
import type { Fault, PlannedFault } from './plan.ts';
import type { CutHow, Site } from './site.ts';
import type { World } from './world.ts';

/** A process that goes on after it stood still is late for a moment. */
const AWAKE_MS = 100;

export interface HavocNeeds {
  readonly site: Site;
  readonly world: World;
  readonly encoders: readonly Encoder[];
  /** Told when a fault begins. */
  readonly begins: (fault: Fault) => void;
}

export class Havoc {
  readonly #needs: HavocNeeds;
  /** Made once, before the first round: they read files, and the harness would stall. */
  readonly #attacks = new Attacks();

  constructor(needs: HavocNeeds) {
    this.#needs = needs;
  }

  /** Resolves when all of them are over and undone. */
  async round(faults: readonly PlannedFault[]): Promise<void> {
    await Promise.all(
      faults.map(async ({ atMs, fault }) => {
        await delay(atMs);
        this.#needs.begins(fault);
        await this.#do(fault);
      }),
    );
    await this.#needs.site.healRedis();
  }

  async #do(fault: Fault): Promise<void> {
    const { site, encoders } = this.#needs;
    switch (fault.kind) {
      case 'kill':
        return this.#kill(fault.node, fault.forMs);
      case 'pause':
        return this.#idle(fault.node, async () => {
          site.pause(fault.node);
          await delay(fault.forMs);
          site.resume(fault.node);
        });
      case 'stall':
        return this.#idle(fault.node, async () => {
          site.stall(fault.node, fault.forMs);
          await delay(fault.forMs);
        });
      case 'squeeze':
        await site.squeeze(fault.node);
        await delay(fault.forMs);
        return site.release(fault.node);
      case 'clock':
        site.setClock(fault.node, fault.aheadMs);
        await delay(fault.forMs);
        return site.setClock(fault.node, 0);
      case 'cut':
        return this.#cut([fault.nodes], fault.how, fault.forMs);
      case 'isolate':
        return this.#isolate(fault.node, fault.how, fault.forMs);
      case 'cut-redis':
        return this.#cutRedis(fault.node, fault.how, fault.forMs);
      case 'wipe-redis':
        return this.#withoutRegistry(site.ids, () => site.wipeRedis());
      case 'fail-over-redis':
        return this.#withoutRegistry(site.ids, () => site.failRedisOver(fault.how));
      case 'hostile':
        return strangers(site.node(fault.node), this.#attacks, fault);
      case 'slow-players': {
        const keys = encoders.map(({ key }) => key);
        return slowPlayers(site.node(fault.node), keys, fault.forMs);
      }
      case 'move-publisher':
        return this.#encoder(fault.stream).move(fault.node);
      case 'ghost-publisher': {
        const over = this.#encoder(fault.stream).leaveGhost(fault.node);
        await delay(fault.forMs);
        return over();
      }
    }
  }

  #encoder(stream: string): Encoder {
    const encoder = this.#needs.encoders.find(({ key }) => key === stream);
    if (!encoder) throw new Error(`nobody publishes ${stream}`);
    return encoder;
  }

  async #kill(node: string, forMs: number): Promise<void> {
    const { site, world } = this.#needs;
    const over = world.down(node);
    await site.kill(node);
    await delay(forMs);
    await site.start(node);
    over();
  }

  async #idle(node: string, standsStill: () => Promise<void>): Promise<void> {
    const over = this.#needs.world.idle(node);
    await standsStill();
    await delay(AWAKE_MS);
    over();
  }

  async #isolate(node: string, how: CutHow, forMs: number): Promise<void> {
    const others = this.#needs.site.ids.filter((id) => id !== node);
    const pairs = others.map((other) => [node, other] as const);
    await Promise.all([this.#cut(pairs, how, forMs), this.#cutRedis(node, how, forMs)]);
  }

  /** A pair that several faults cut is mended by the last of them. */
  async #cut(pairs: readonly (readonly [string, string])[], how: CutHow, forMs: number): Promise<void> {
    const { site, world } = this.#needs;
    const overs = pairs.map(([one, other]) => world.cut(one, other));
    await Promise.all(pairs.map(([one, other]) => site.cut(one, other, how)));
    await delay(forMs);
    for (const over of overs) over();
    const whole = pairs.filter(([one, other]) => world.reaches(one, other));
    await Promise.all(whole.map(([one, other]) => site.mend(one, other)));
  }

  #cutRedis(node: string, how: CutHow, forMs: number): Promise<void> {
    const { site } = this.#needs;
    return this.#withoutRegistry([node], async () => {
      await site.cutRedis(node, how);
      await delay(forMs);
      await site.mendRedis(node);
    });
  }

  async #withoutRegistry(nodes: readonly string[], fault: () => Promise<void>): Promise<void> {
    const over = this.#needs.world.loseRegistry(nodes);
    await fault();
    over(performance.now());
  }
}
