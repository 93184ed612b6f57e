// The tree of one stream: who pulls it from whom. Parents are chosen, reviewed and left by the rules of src/routing, and
// taken in or refused by those of the mesh; what a round trip takes, takes that long here, too.
import { below } from '../../src/mesh/candidates.ts';
import { busyOf } from '../../src/routing/score.ts';
import {
  isForPrice,
  MAX_HOPS,
  MIN_GAIN_MS,
  type Parent,
  type ParentCost,
  type Payer,
  type Puller,
  parentCost,
  rankParents,
} from '../../src/routing/upstream-cost.ts';
import {
  type Option,
  type Reviewer,
  type ReviewVerdict,
  UpstreamReview,
} from '../../src/routing/upstream-review.ts';
import type { Agenda } from './agenda.ts';
import type { SimNode } from './node.ts';
import type { Random } from './random.ts';
import { nodeRttMs, type World } from './world.ts';

/** Rules of the mesh (docs/architecture.md, relay.* of the configuration). */
export const SOFT_CHILDREN = 6;
export const MAX_CHILDREN = 64;
const LINGER_MS = 10_000;
/** Until a child misses its parent. */
const MISSED_MS = 300;
const RETRY_MS = 1_000;
/** Who finds all busy asks again after so long, so often, before it insists. */
const BUSY_RETRY_MS = 250;
const PATIENT_TURNS = 2;
/** What nodes know of who has a stream is at most so old. */
const LOOKUP_MS = 1_000;
/** A tree in which nothing changed is looked at so seldom. */
const CALM_REVIEW_MS = 10_000;

/** `asking`: for its first parent; `lost`: it has none, and keeps its players. */
export type CopyState = 'asking' | 'fed' | 'moving' | 'lost' | 'gone';

/** The stream at one node. */
export class Copy {
  readonly node: SimNode;
  readonly children: Copy[] = [];
  readonly review: UpstreamReview;
  parent: Copy | undefined;
  state: CopyState = 'asking';
  players = 0;
  /** Links to the origin; Infinity without a live source. */
  hops = Number.POSITIVE_INFINITY;
  pricePaid = 0;

  constructor(node: SimNode, random: Random) {
    this.node = node;
    this.review = new UpstreamReview(() => random.share());
  }
}

/** Who has a stream, as a lookup tells it. */
export interface Known {
  readonly atMs: number;
  readonly version: number;
  readonly nodes: ReadonlySet<string>;
  readonly copies: ReadonlyMap<string, KnownCopy>;
}

/** As `src/mesh/candidates.ts` has it, and whose it is. */
interface KnownCopy {
  readonly copy: Copy;
  readonly node: string;
  readonly epoch: number;
  readonly hops: number;
  readonly upstream: string | undefined;
  readonly isOld: boolean;
  readonly pricePaid: number;
}

export interface TreeNeeds {
  readonly agenda: Agenda;
  readonly world: World;
  readonly random: Random;
  /** A copy got a parent, or another one. */
  readonly linked: (tree: StreamTree, copy: Copy) => void;
}

export class StreamTree {
  readonly #needs: TreeNeeds;
  readonly bytesPerS: number;
  readonly copies = new Map<SimNode, Copy>();
  origin: Copy | undefined;
  /** Counts changes. */
  version = 0;
  moves = 0;
  /** Copies that had to leave their parent as they came to stand too deep. */
  displaced = 0;
  #calmVersion = -1;
  #calmAtMs = 0;
  #known: Known = { atMs: Number.NEGATIVE_INFINITY, version: -1, nodes: new Set(), copies: new Map() };

  constructor(bytesPerS: number, needs: TreeNeeds) {
    this.bytesPerS = bytesPerS;
    this.#needs = needs;
  }

  get known(): Known {
    const nowMs = this.#needs.agenda.now();
    const { atMs, version } = this.#known;
    if (nowMs - atMs < LOOKUP_MS) return this.#known;
    if (version === this.version) {
      this.#known = { ...this.#known, atMs: nowMs };
      return this.#known;
    }
    const copies = new Map<string, KnownCopy>();
    for (const copy of this.copies.values()) {
      if ((copy.state !== 'fed' && copy.state !== 'moving') || copy.hops > MAX_HOPS) continue;
      const { hops, pricePaid } = copy;
      const { name } = copy.node;
      const upstream = copy.parent?.node.name;
      copies.set(name, { copy, node: name, epoch: 1, hops, upstream, isOld: false, pricePaid });
    }
    this.#known = { atMs: nowMs, version: this.version, nodes: new Set(copies.keys()), copies };
    return this.#known;
  }

  /** The publisher is at this node. */
  publish(node: SimNode): void {
    const copy = this.copies.get(node) ?? new Copy(node, this.#needs.random);
    if (copy.parent) this.#detach(copy);
    copy.state = 'fed';
    copy.pricePaid = 0;
    this.copies.set(node, copy);
    this.origin = copy;
    this.#setHops(copy, 0);
  }

  /** A player came to this node. */
  addPlayer(node: SimNode): void {
    const copy = this.copyAt(node);
    copy.players += 1;
    node.sentBytesPerS += this.bytesPerS;
  }

  removePlayer(node: SimNode): void {
    const copy = this.copies.get(node);
    if (!copy) return;
    copy.players -= 1;
    node.sentBytesPerS -= this.bytesPerS;
    this.#mayEnd(copy);
  }

  /** The copy of a node; it begins to look for a parent if it is new. */
  copyAt(node: SimNode): Copy {
    let copy = this.copies.get(node);
    if (!copy) {
      copy = new Copy(node, this.#needs.random);
      this.copies.set(node, copy);
      this.#search(copy);
    }
    return copy;
  }

  /** The node is gone, with all its links. */
  died(node: SimNode): void {
    const copy = this.copies.get(node);
    if (!copy) return;
    if (copy.parent) this.#detach(copy);
    copy.state = 'gone';
    this.copies.delete(node);
    if (this.origin === copy) this.origin = undefined;
    for (const child of [...copy.children]) this.#lose(child, MISSED_MS);
    this.version += 1;
  }

  /** A look at all copies: is there a better parent? Where nobody found one and nothing changed, seldom. */
  reviewAll(): void {
    const nowMs = this.#needs.agenda.now();
    if (this.#calmVersion === this.version && nowMs - this.#calmAtMs < CALM_REVIEW_MS) return;
    let isCalm = true;
    for (const copy of this.copies.values()) {
      if (copy.state === 'fed' && !copy.parent) continue;
      if (copy.state !== 'fed' || !copy.parent || this.#review(copy, copy.parent) !== 'stay') isCalm = false;
    }
    if (!isCalm) return;
    this.#calmVersion = this.version;
    this.#calmAtMs = nowMs;
  }

  #review(copy: Copy, parent: Copy): ReviewVerdict['is'] {
    const nowMs = this.#needs.agenda.now();
    const puller = this.#puller(copy);
    const current = this.#parentOf(copy, parent, parent.hops, parent.pricePaid);
    if (parentCost(current, puller).total < MIN_GAIN_MS) return 'stay';
    const { copies } = this.known;
    const children = below(copy.node.name, [...copies.values()]);
    const me: Reviewer = {
      ...{ ...puller, pricePaid: copy.pricePaid, height: Math.max(0, ...children.values()) },
      regions: new Set(
        [copy.node.name, ...children.keys()].map((node) => copies.get(node)?.copy.node.regionName ?? ''),
      ),
    };
    const options: Option[] = [];
    for (const known of copies.values()) {
      if (known.copy === copy || known.copy === parent || children.has(known.node)) continue;
      options.push({
        parent: this.#parentOf(copy, known.copy, known.hops, known.pricePaid),
        isAbove: isInPath(known.copy, copy),
        payer: this.#payerOf(known, copy),
        freed: this.#freedBy(known.copy, copy),
      });
    }
    const verdict = copy.review.look(nowMs, me, current, options);
    if (verdict.is !== 'move') return verdict.is;
    const from = parentCost(current, puller);
    // Who would have to pay less insists, but only where nobody has room.
    const forPrice = verdict.to.filter((cost) => isForPrice(from, cost));
    if (!this.#moveToOne(copy, verdict.to, true) && !this.#moveToOne(copy, forPrice, false)) {
      for (const { node } of verdict.to) copy.review.refused(node, nowMs);
    }
    return verdict.is;
  }

  #moveToOne(copy: Copy, costs: readonly ParentCost[], isPatient: boolean): boolean {
    for (const { node } of costs) {
      const to = this.known.copies.get(node)?.copy;
      if (!to || this.#answer(copy, to, isPatient) !== 'granted') continue;
      this.#move(copy, to, isPatient);
      return true;
    }
    return false;
  }

  /** Who pays on the way from a copy to the origin, unless that one feeds the other, too. */
  #payerOf(known: KnownCopy, copy: Copy): Option['payer'] {
    const { copies } = this.#known;
    let at: KnownCopy | undefined = known;
    for (let hop = 0; at && hop <= MAX_HOPS; hop += 1) {
      if (isInPath(at.copy, copy)) return undefined;
      if (at.pricePaid > 0) return payerOf(at.copy);
      at = copies.get(at.upstream ?? '');
    }
    return undefined;
  }

  /** Those who feed a copy, and would not if it were fed by another one. */
  #freedBy(to: Copy, copy: Copy): Payer[] {
    const freed: Payer[] = [];
    for (let at = copy.parent; at && !isInPath(at, to); at = at.parent) freed.push(payerOf(at));
    return freed;
  }

  /** Make before break: the new parent is asked, and when it feeds the copy, the old one is left. */
  #move(copy: Copy, to: Copy, isPatient: boolean): void {
    copy.state = 'moving';
    const { agenda, world } = this.#needs;
    agenda.at(agenda.now() + nodeRttMs(world, copy.node, to.node), () => {
      if (copy.state !== 'moving') return;
      copy.state = 'fed';
      if (!copy.parent || this.#answer(copy, to, isPatient) !== 'granted') {
        copy.review.refused(to.node.name, agenda.now());
        return;
      }
      this.moves += 1;
      copy.review.moved(copy.parent.node.name, 'better', agenda.now());
      this.#detach(copy);
      this.#attach(copy, to);
    });
  }

  /** Asks one after the other, who is cheapest first, until one grants. */
  #search(copy: Copy, turn = 0): void {
    if ((copy.state !== 'asking' && copy.state !== 'lost') || copy.parent || copy === this.origin) return;
    const resumes = copy.state === 'lost';
    const { agenda } = this.#needs;
    const ranked = this.#inOrder(copy);
    const asked: Asked = { tried: new Set(), busy: [], tookMs: 0 };
    const to = this.#askEach(copy, ranked, !resumes, asked);
    if (!to && asked.busy.length > 0 && turn < PATIENT_TURNS) {
      // Who is busy names children that are about to have the stream themselves.
      agenda.at(agenda.now() + BUSY_RETRY_MS, () => this.#search(copy, turn + 1));
      return;
    }
    const insisted = to ?? this.#askEach(copy, asked.busy, false, { ...asked, tried: new Set(), busy: [] });
    if (!insisted) {
      agenda.at(agenda.now() + RETRY_MS * this.#needs.random.between(0.5, 1), () => {
        this.#search(copy);
      });
      this.#mayEnd(copy);
      return;
    }
    if (resumes) copy.state = 'fed';
    this.#attach(copy, insisted);
    if (resumes) return;
    agenda.at(agenda.now() + asked.tookMs, () => {
      if (copy.state !== 'asking' || !copy.parent) return;
      copy.state = 'fed';
      this.version += 1;
      this.#mayEnd(copy);
    });
  }

  #askEach(copy: Copy, nodes: readonly Copy[], patient: boolean, asked: Asked): Copy | undefined {
    const { world, random } = this.#needs;
    for (const to of nodes) {
      if (asked.tried.has(to)) continue;
      asked.tried.add(to);
      asked.tookMs += nodeRttMs(world, copy.node, to.node);
      const answer = this.#answer(copy, to, patient);
      if (answer === 'granted') return to;
      if (answer !== 'busy') continue;
      asked.busy.push(to);
      const alternatives = random.shuffled(alternativesOf(to));
      const found = this.#askEach(copy, alternatives, patient, asked);
      if (found) return found;
    }
    return undefined;
  }

  #answer(copy: Copy, to: Copy, patient: boolean): 'granted' | 'busy' | 'loop' | 'nosrc' {
    if (isInPath(copy, to)) return 'loop';
    if (to.state === 'moving') return 'busy';
    if (to.state !== 'fed' || to.hops > MAX_HOPS) return 'nosrc';
    if (to.hops === MAX_HOPS || to.children.length >= MAX_CHILDREN) return 'busy';
    return patient && to.children.length >= SOFT_CHILDREN ? 'busy' : 'granted';
  }

  /** Who has the stream, cheapest first. */
  #inOrder(copy: Copy): Copy[] {
    const { copies } = this.known;
    const parents: Parent[] = [];
    for (const known of copies.values()) {
      if (known.copy !== copy) parents.push(this.#parentOf(copy, known.copy, known.hops, known.pricePaid));
    }
    return rankParents(parents, this.#puller(copy)).flatMap(({ node }) => copies.get(node)?.copy ?? []);
  }

  /** A node as one sees it who might pull from it. */
  #parentOf(copy: Copy, of: Copy, hops: number, pricePaid: number): Parent {
    const seen = copy.node.router.view.get(of.node.name)?.view;
    return {
      node: of.node.name,
      region: of.node.regionName,
      hops,
      pricePaid,
      rttMs: nodeRttMs(this.#needs.world, copy.node, of.node),
      lossShare: 0,
      busy: seen ? busyOf(seen.load) : 0,
      isDraining: seen?.draining ?? false,
    };
  }

  #puller({ node }: Copy): Puller {
    return { node: node.name, region: node.regionName, prices: this.#needs.world.prices };
  }

  #attach(copy: Copy, to: Copy): void {
    copy.parent = to;
    to.children.push(copy);
    to.node.sentBytesPerS += this.bytesPerS;
    copy.pricePaid = this.#needs.world.prices.of(to.node.regionName, copy.node.regionName);
    this.#setHops(copy, to.hops + 1);
  }

  #detach(copy: Copy): void {
    const { parent } = copy;
    if (!parent) return;
    copy.parent = undefined;
    parent.children.splice(parent.children.indexOf(copy), 1);
    if (parent.state === 'gone') return;
    parent.node.sentBytesPerS -= this.bytesPerS;
    this.#mayEnd(parent);
  }

  /** Its parent is gone: it keeps its players and children, and looks for another after a while. */
  #lose(copy: Copy, afterMs: number): void {
    this.#detach(copy);
    copy.state = 'lost';
    this.#setHops(copy, Number.POSITIVE_INFINITY);
    const { agenda } = this.#needs;
    agenda.at(agenda.now() + afterMs, () => this.#search(copy));
  }

  /** The way to the origin changed, and is told downward; who comes to stand too deep leaves at once. */
  #setHops(copy: Copy, hops: number): void {
    this.version += 1;
    if (hops > MAX_HOPS && Number.isFinite(hops)) {
      this.displaced += 1;
      this.#lose(copy, 0);
      return;
    }
    copy.hops = hops;
    for (const child of [...copy.children]) this.#setHops(child, hops + 1);
    this.#needs.linked(this, copy);
  }

  /** Nobody wants it any more: it is kept for a while. */
  #mayEnd(copy: Copy): void {
    const isIdle = () => copy.players === 0 && copy.children.length === 0 && copy !== this.origin;
    if (!isIdle() || copy.state === 'gone') return;
    const { agenda } = this.#needs;
    agenda.at(agenda.now() + LINGER_MS, () => {
      if (!isIdle() || copy.state === 'gone' || copy.state === 'moving') return;
      copy.state = 'gone';
      this.copies.delete(copy.node);
      this.#detach(copy);
      this.version += 1;
    });
  }
}

interface Asked {
  readonly tried: Set<Copy>;
  readonly busy: Copy[];
  tookMs: number;
}

/** Is a copy on the way from another one to the origin, or that one itself? */
function isInPath(copy: Copy, of: Copy): boolean {
  for (let at: Copy | undefined = of; at; at = at.parent) if (at === copy) return true;
  return false;
}

function payerOf({ node, hops, pricePaid }: Copy): Payer {
  return { node: node.name, region: node.regionName, hops, pricePaid };
}

/** Whom a busy node names: its children, or if it stands too deep, those above it. */
function alternativesOf(copy: Copy): Copy[] {
  if (copy.hops < MAX_HOPS) return [...copy.children];
  const above: Copy[] = [];
  for (let at = copy.parent; at; at = at.parent) above.push(at);
  return above;
}
