// A publisher as people run them: it comes back by itself when its connection ends, at the next node.
import { setTimeout as delay } from 'node:timers/promises';
import type { StreamPlan } from '../support/numbered-media.ts';
import { NumberedPublisher } from '../support/numbered-publisher.ts';
import type { OnAir } from './seat-oracle.ts';
import type { Site } from './site.ts';
import type { World } from './world.ts';

export interface EncoderOptions {
  readonly key: string;
  readonly plan: StreamPlan;
  /** Where it publishes first. */
  readonly home: string;
  readonly firstSession: number;
}

/** Between two tries. */
const AGAIN_MS = 500;
const LOOK_MS = 20;

type Air = { readonly is: 'on'; readonly what: OnAir } | { readonly is: 'off'; readonly sinceMs: number };

export class Encoder {
  readonly key: string;
  readonly #site: Site;
  readonly #world: World;
  readonly #plan: StreamPlan;
  #publisher: NumberedPublisher;
  /** The node that it is at, or tried last. */
  #node: string;
  /** Where it was told to go, and has not been yet. */
  #target: string | undefined;
  #air: Air = { is: 'off', sinceMs: performance.now() };
  #reconnects = 0;
  #ghosts = 0;
  readonly #thrownOut: OnAir[] = [];
  /** Times that a node which worked closed or refused it, and how, in words. */
  readonly #refusals = new Map<string, number>();
  readonly #running: Promise<void>;
  #isOver = false;

  constructor(site: Site, world: World, { key, plan, home, firstSession }: EncoderOptions) {
    this.key = key;
    this.#site = site;
    this.#world = world;
    this.#node = home;
    this.#plan = plan;
    this.#publisher = new NumberedPublisher({ plan, key, firstSession });
    this.#running = this.#run();
  }

  /** What it publishes now; undefined: it has no connection. */
  get onAir(): OnAir | undefined {
    return this.#air.is === 'on' && !this.#publisher.isClosed ? this.#air.what : undefined;
  }

  /** Since when it has had no connection; undefined: it has one. */
  get offSinceMs(): number | undefined {
    return this.#air.is === 'off' ? this.#air.sinceMs : undefined;
  }

  /** What it published when its node ended it, though that lived and it did not want to go; since this was asked. */
  takeThrownOut(): OnAir[] {
    return this.#thrownOut.splice(0);
  }

  /** Times that it began again. */
  get reconnects(): number {
    return this.#reconnects;
  }

  /** A connection that it left goes on sending. */
  get hasGhost(): boolean {
    return this.#ghosts > 0;
  }

  /** By how it was told. */
  get refusals(): ReadonlyMap<string, number> {
    return this.#refusals;
  }

  /** It breaks off, and goes to another node. */
  move(node: string): void {
    this.#target = node;
    this.#publisher.drop();
  }

  /**
   * It goes to another node, and what it leaves goes on sending until the answer is called: a connection that nobody ended, or
   * a second encoder with the same key.
   */
  leaveGhost(node: string): () => void {
    const ghost = this.#publisher;
    this.#target = node;
    this.#publisher = new NumberedPublisher({
      plan: this.#plan,
      key: this.key,
      // The ghost may be about to begin a session.
      firstSession: ghost.session + 2,
    });
    this.#ghosts += 1;
    return () => {
      this.#ghosts -= 1;
      ghost.drop();
    };
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    this.#publisher.drop();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const deaths = this.#world.deaths(this.#node);
      const onAir = await this.#connect();
      if (onAir) {
        const publisher = this.#publisher;
        while (publisher === this.#publisher && !publisher.isClosed) await delay(LOOK_MS);
        const hasGone = this.#isOver || this.#target !== undefined;
        if (!hasGone && this.#world.deaths(onAir.node) === deaths) this.#thrownOut.push(onAir);
        this.#air = { is: 'off', sinceMs: performance.now() };
        this.#reconnects += 1;
      }
      if (this.#isOver) return;
      await delay(AGAIN_MS);
      this.#node = this.#target ?? this.#next();
      this.#target = undefined;
    }
  }

  /** Undefined: it could not. */
  async #connect(): Promise<OnAir | undefined> {
    const [node, publisher] = [this.#node, this.#publisher];
    if (this.#world.isDown(node)) return undefined;
    try {
      await publisher.connect(this.#site.node(node));
      const what = { session: publisher.session, node, sinceMs: performance.now() };
      this.#air = { is: 'on', what };
      return what;
    } catch (error) {
      const how = error instanceof Error ? error.message : String(error);
      if (this.#world.works(node)) this.#refusals.set(how, (this.#refusals.get(how) ?? 0) + 1);
      return undefined;
    }
  }

  #next(): string {
    const { ids } = this.#site;
    return ids[(ids.indexOf(this.#node) + 1) % ids.length] ?? this.#node;
  }
}
