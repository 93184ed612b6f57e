// One place in the audience: a player of one stream at one node, and the next player once that one has ended.
import { setTimeout as delay } from 'node:timers/promises';
import { CheckedPlayer, type PlayerFormat } from '../support/checked-player.ts';
import type { FrameCheck } from '../support/frame-check.ts';
import type { Site } from './site.ts';
import type { World } from './world.ts';

/** Between two tries. */
const AGAIN_MS = 300;
const LOOK_MS = 20;

/** A player that was ended by its node. */
export interface Ending {
  readonly how: string;
  /** Its node was killed while it played. */
  readonly byDeath: boolean;
}

export class Seat {
  readonly node: string;
  readonly key: string;
  readonly format: PlayerFormat;
  readonly #site: Site;
  readonly #world: World;
  #player: CheckedPlayer | undefined;
  readonly #endings: Ending[] = [];
  readonly #refusals: string[] = [];
  readonly #running: Promise<void>;
  #isOver = false;

  constructor(site: Site, world: World, at: { node: string; key: string; format: PlayerFormat }) {
    this.node = at.node;
    this.key = at.key;
    this.format = at.format;
    this.#site = site;
    this.#world = world;
    this.#running = this.#run();
  }

  get name(): string {
    return `the ${this.format} player of ${this.key} on ${this.node}`;
  }

  /** What the one who sits there, or sat there last, has seen; undefined: nobody has yet. */
  get check(): FrameCheck | undefined {
    return this.#player?.check;
  }

  /** Players that had begun and were ended, since this was asked. */
  takeEndings(): Ending[] {
    return this.#endings.splice(0);
  }

  /** How players were told no before they had got a frame, since this was asked. */
  takeRefusals(): string[] {
    return this.#refusals.splice(0);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    this.#player?.leave();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      if (!this.#world.isDown(this.node)) await this.#sit();
      if (!this.#isOver) await delay(AGAIN_MS);
    }
  }

  /** One player, from its question to its end. */
  async #sit(): Promise<void> {
    const deaths = this.#world.deaths(this.node);
    const isSameLife = () => this.#world.deaths(this.node) === deaths;
    try {
      const player = await CheckedPlayer.play(this.#site.node(this.node), this.key, this.format);
      this.#player = player;
      while (player.ended === undefined && !this.#isOver) await delay(LOOK_MS);
      player.leave();
      if (player.ended === undefined) return;
      if (player.check.frames > 0) this.#endings.push({ how: player.ended, byDeath: !isSameLife() });
      else if (isSameLife()) this.#refusals.push(player.ended);
    } catch (error) {
      if (isSameLife()) this.#refusals.push(error instanceof Error ? error.message : String(error));
    }
  }
}
