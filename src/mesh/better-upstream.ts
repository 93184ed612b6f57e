// The look-out of a replica that is fed for somebody who would feed it better. When a move is worth it, routing's review
// says; this knows who there is to choose from, has a link to who is next, so that the way is measured, and asks.
import type { Clock } from '../base/clock.ts';
import { isForPrice, MIN_GAIN_MS, type Parent, parentCost } from '../routing/upstream-cost.ts';
import { type Option, type Reviewer, UpstreamReview } from '../routing/upstream-review.ts';
import { below, type Candidate, onPath, type ParentFacts } from './candidates.ts';
import type { Peer } from './peer.ts';
import type { Tone } from './subscriptions.ts';
import type { SwitchCause } from './switch-cause.ts';

/** How often; up to twice as long, so that not all look at once. */
const LOOK_EVERY_MS = 700;

export interface BetterUpstreamNeeds {
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly parents: ParentFacts;
  /** The nodes that had the stream when it was looked up last, of the epoch that is played here. */
  readonly known: () => readonly Candidate[];
  /** Who has the stream is looked up anew. */
  readonly hurry: () => void;
  /** Did the node fail of late? */
  readonly isShunned: (node: string) => boolean;
  readonly linkTo: (node: string) => Peer | undefined;
  /** @throws TidewayError if the node can't be reached */
  readonly dial: (node: string) => Promise<Peer>;
  /** Asks the node, and those whom it names of `worth`; `moved` tells if one has it. Never rejects. */
  readonly seek: (node: string, tone: Extract<Tone, 'plain' | 'patient'>) => Promise<void>;
  /** Nobody of them has it. */
  readonly stayed: () => void;
}

/** What a look found. */
interface Scene {
  readonly me: Reviewer;
  readonly current: Parent;
  readonly options: readonly Option[];
}

interface Way {
  /** The first that pays for the stream; undefined: nobody does. */
  readonly payer: Parent | undefined;
  /** Where this node's own way is joined, counted from the origin; its length: nobody knows. */
  readonly joins: number;
}

export class BetterUpstream {
  readonly #needs: BetterUpstreamNeeds;
  readonly #review: UpstreamReview;
  #lookAtMs: number;
  /** What the parent cost when it was looked up last who else there is. */
  #lookedUpAt = 0;
  /** From the origin to the parent. */
  #path: readonly string[] = [];
  #isDialling = false;
  /** Those that were asked for a move, or would have been after the ones before. */
  #asked: string[] = [];
  #moves = 0;

  constructor(needs: BetterUpstreamNeeds) {
    this.#needs = needs;
    this.#review = new UpstreamReview(needs.random);
    this.#lookAtMs = this.#nextLookMs();
  }

  /** @param path from the origin to the parent */
  look(nowMs: number, path: readonly string[]): void {
    if (nowMs < this.#lookAtMs) return;
    this.#lookAtMs = this.#nextLookMs();
    this.#path = path;
    const scene = this.#scene(this.#needs.known());
    if (!scene) return;
    const verdict = this.#review.look(nowMs, scene.me, scene.current, scene.options);
    if (verdict.is === 'stay') return;
    const [best] = verdict.to;
    if (best === undefined) return;
    const peer = this.#needs.linkTo(best.node);
    if (!peer) void this.#dial(best.node);
    else if (verdict.is === 'move' && peer.quality) {
      void this.#move(best.node, isForPrice(parentCost(scene.current, scene.me), best));
    }
  }

  /** Of nodes that a busy one named, those that are worth the move, too: with a link, so that it takes no time. */
  worth(candidates: readonly Candidate[]): string[] {
    const scene = this.#scene(candidates);
    if (!scene) return [];
    const { me, current, options } = scene;
    const worth = this.#review
      .worth(this.#needs.clock.now(), me, current, options)
      .map(({ node }) => node)
      .filter((node) => this.#needs.linkTo(node)?.quality !== undefined);
    this.#asked.push(...worth);
    return worth;
  }

  /** The replica has another upstream. */
  moved(from: string, cause: SwitchCause, nowMs: number): void {
    this.#moves += 1;
    this.#lookedUpAt = 0;
    this.#review.moved(from, whyOf(cause), nowMs);
  }

  /** Who would pay less is worth a child more than a node likes to have, if nobody else has room. */
  async #move(node: string, insists: boolean): Promise<void> {
    const { clock, seek, stayed } = this.#needs;
    const before = this.#moves;
    this.#asked = [node];
    await seek(node, 'patient');
    if (this.#moves === before && insists) await seek(node, 'plain');
    if (this.#moves !== before) return;
    for (const one of this.#asked) this.#review.refused(one, clock.now());
    stayed();
  }

  async #dial(node: string): Promise<void> {
    if (this.#isDialling) return;
    this.#isDialling = true;
    try {
      await this.#needs.dial(node);
    } catch {
      this.#review.refused(node, this.#needs.clock.now());
    } finally {
      this.#isDialling = false;
    }
  }

  /** Undefined if the parent is so good that there can be no better one. */
  #scene(candidates: readonly Candidate[]): Scene | undefined {
    const { parents } = this.#needs;
    const { puller } = parents;
    const above = onPath(this.#path);
    const at = above.at(-1);
    if (!at) return undefined;
    const current = parents.of(at);
    const { total } = parentCost(current, puller);
    this.#lookUpIfDearer(total);
    if (total < MIN_GAIN_MS) return this.#nobody(current);
    const byNode = new Map([...candidates, ...above].map((one) => [one.node, one]));
    const fed = below(puller.node, [...byNode.values()]);
    const options: Option[] = [];
    for (const one of byNode.values()) {
      const isAble = one.node !== puller.node && one.node !== at.node && !fed.has(one.node) && !one.isOld;
      if (!isAble || this.#needs.isShunned(one.node)) continue;
      const isAbove = this.#path.includes(one.node);
      const way = this.#wayOf(one, byNode);
      const freed = above
        .slice(way.joins + 1)
        .reverse()
        .map((each) => parents.of(each));
      options.push({ parent: parents.of(one), isAbove, payer: way.payer, freed });
    }
    const pricePaid = puller.prices.of(current.region, puller.region);
    const regions = new Set([puller.region]);
    for (const node of fed.keys()) {
      const one = byNode.get(node);
      if (one) regions.add(parents.of(one).region);
    }
    return { me: { ...puller, pricePaid, height: Math.max(0, ...fed.values()), regions }, current, options };
  }

  #nobody(current: Parent): Scene {
    const { puller } = this.#needs.parents;
    const me = { ...puller, pricePaid: 0, height: 0, regions: new Set([puller.region]) };
    return { me, current, options: [] };
  }

  /** A parent that has become dearer: perhaps there is another by now. */
  #lookUpIfDearer(cost: number): void {
    if (cost - this.#lookedUpAt >= MIN_GAIN_MS) {
      this.#lookedUpAt = cost;
      this.#needs.hurry();
    } else this.#lookedUpAt = Math.min(this.#lookedUpAt, cost);
  }

  /** The way from a node to the origin, up to where it joins that of this one. */
  #wayOf(from: Candidate, byNode: ReadonlyMap<string, Candidate>): Way {
    const passed = new Set<string>();
    let payer: Parent | undefined;
    for (let at: Candidate | undefined = from; at && !passed.has(at.node); ) {
      const joins = this.#path.indexOf(at.node);
      if (joins >= 0) return { payer, joins };
      passed.add(at.node);
      const parent = this.#needs.parents.of(at);
      if (parent.pricePaid > 0) payer ??= parent;
      at = at.upstream === undefined ? undefined : byNode.get(at.upstream);
    }
    return { payer, joins: this.#path.length };
  }

  #nextLookMs(): number {
    return this.#needs.clock.now() + LOOK_EVERY_MS * (1 + this.#needs.random());
  }
}

function whyOf(cause: SwitchCause): 'better' | 'failed' | 'sent' {
  if (cause === 'better') return cause;
  return cause === 'silent' || cause === 'stuck' ? 'failed' : 'sent';
}
