// Does what a plan says: each fault when it is due, for as long as it lasts, and undoes it; the world is told.
import { setTimeout as delay } from 'node:timers/promises';
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
    const { site, world, encoders } = this.#needs;
    switch (fault.kind) {
      case 'kill': {
        const over = world.down(fault.node);
        await site.kill(fault.node);
        await delay(fault.forMs);
        await site.start(fault.node);
        over();
        return;
      }
      case 'pause': {
        const over = world.idle(fault.node);
        site.pause(fault.node);
        await delay(fault.forMs);
        site.resume(fault.node);
        await delay(AWAKE_MS);
        over();
        return;
      }
      case 'stall': {
        const over = world.idle(fault.node);
        site.stall(fault.node, fault.forMs);
        await delay(fault.forMs + AWAKE_MS);
        over();
        return;
      }
      case 'squeeze': {
        const over = world.trouble();
        await site.squeeze(fault.node);
        await delay(fault.forMs);
        await site.release(fault.node);
        over();
        return;
      }
      case 'clock': {
        const over = world.trouble();
        site.setClock(fault.node, fault.aheadMs);
        await delay(fault.forMs);
        site.setClock(fault.node, 0);
        over();
        return;
      }
      case 'cut':
        await this.#cut([fault.nodes], fault.how, fault.forMs);
        return;
      case 'isolate': {
        const others = site.ids.filter((id) => id !== fault.node);
        await Promise.all([
          this.#cut(
            others.map((other) => [fault.node, other]),
            fault.how,
            fault.forMs,
          ),
          this.#cutRedis(fault.node, fault.how, fault.forMs),
        ]);
        return;
      }
      case 'cut-redis':
        await this.#cutRedis(fault.node, fault.how, fault.forMs);
        return;
      case 'wipe-redis':
        await site.wipeRedis();
        return;
      case 'fail-over-redis': {
        const over = world.trouble();
        await site.failRedisOver(fault.how);
        over();
        return;
      }
      case 'hostile': {
        const over = world.trouble();
        await strangers(site.node(fault.node), fault.seed, fault.forMs);
        over();
        return;
      }
      case 'slow-players': {
        const over = world.trouble();
        const keys = encoders.map(({ key }) => key);
        await slowPlayers(site.node(fault.node), keys, fault.forMs);
        over();
        return;
      }
      case 'move-publisher':
        encoders.find(({ key }) => key === fault.stream)?.move(fault.node);
    }
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

  async #cutRedis(node: string, how: CutHow, forMs: number): Promise<void> {
    const { site, world } = this.#needs;
    const over = world.trouble();
    await site.cutRedis(node, how);
    await delay(forMs);
    await site.mendRedis(node);
    over();
  }
}
