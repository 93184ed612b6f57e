// The search for an upstream: one node after the other is asked for the stream, until one grants it. It knows who failed
// of late; in which order they are asked is the plan's, and what becomes of a grant the replica's.
import { type Clock, wait } from '../base/clock.ts';
import { messageOf, type Reason, TidewayError } from '../base/errors.ts';
import type { Control } from '../format/mesh/control.ts';
import type { Candidate } from './candidates.ts';
import { isLinkSilent } from './failure-detector.ts';
import type { Peer } from './peer.ts';
import type { Found } from './sources.ts';
import { LINK_CLOSED, type Tone } from './subscriptions.ts';
import type { Upstream } from './upstream.ts';

/** A node that failed is not asked again for so long, unless there is nobody else. */
const SHUN_MS = 2_000;
/** Who is busy is asked again after so long: a change of upstream takes no longer. */
const RETRY_MS = 250;

export interface SearchNeeds {
  readonly clock: Clock;
  /** This node. */
  readonly self: string;
  /** An open link to a node. */
  readonly linkTo: (node: string) => Peer | undefined;
  /** @throws TidewayError if the node can't be reached */
  readonly dial: (node: string) => Promise<Peer>;
  /** Who may have the stream; never rejects. */
  readonly find: () => Promise<Found>;
  /** Asks a peer; the answer comes by `granted` or `declined`. */
  readonly subscribe: (peer: Peer, tone: Tone) => Upstream;
  /** A peer is behind the epoch that this node knows. */
  readonly fenced: () => void;
}

/** What is to be searched. */
export interface SearchPlan {
  /** Asked first, in this order, those before others that have a link. */
  readonly named: readonly string[];
  /** Are others asked if none of those has it? */
  readonly goesOn: boolean;
  /** It feeds this node now, and is not asked. */
  readonly except: string | undefined;
  /** Who is fed well is patient: it gives up where others would wait, or insist. */
  readonly tone: Extract<Tone, 'plain' | 'patient'>;
  /** It has had the stream before. Who has not asks again before it insists: children of who is busy are about to have it. */
  readonly isUrgent: boolean;
  /** What was known before. */
  readonly known: readonly Candidate[];
  /** Those of the candidates that are asked, first to last. */
  readonly order: (candidates: readonly Candidate[]) => readonly string[];
}

type Answer = 'granted' | Control<'no'> | Reason;

/** A search that runs. */
interface Run {
  readonly plan: SearchPlan;
  readonly tried: Set<string>;
  readonly busy: string[];
  readonly known: Map<string, Candidate>;
}

const OVER: Reason = { code: 'relay.unused', message: 'the stream is not looked for any more' };

export class Search {
  readonly #needs: SearchNeeds;
  /** Nodes that failed, and until when they are passed over; as many as were tried of late. */
  readonly #shunned = new Map<string, number>();
  /** The question that is under way. */
  #asking: { readonly upstream: Upstream; readonly answered: (answer: Answer) => void } | undefined;
  #isOver = false;
  /** Ends the search that runs. */
  #interrupted = new AbortController();

  constructor(needs: SearchNeeds) {
    this.#needs = needs;
  }

  get shunnedCount(): number {
    return this.#shunned.size;
  }

  /** Is this the subscription that was asked for last, and not answered? */
  awaits(upstream: Upstream): boolean {
    return this.#asking?.upstream === upstream;
  }

  /** The answer to the question that is under way. */
  answer(answer: Answer): void {
    const asking = this.#asking;
    this.#asking = undefined;
    asking?.answered(answer);
  }

  /** Ends it; the subscription that was asked for, if there is one, is the caller's to give up. */
  end(): Upstream | undefined {
    this.#isOver = true;
    const upstream = this.#asking?.upstream;
    this.answer(OVER);
    return upstream;
  }

  /** Gives the search that runs up, between two nodes or while one is dialled: there is better to be asked. */
  interrupt(): void {
    this.#interrupted.abort();
  }

  /** A node failed. */
  shun(node: string): void {
    const nowMs = this.#needs.clock.now();
    for (const [other, untilMs] of this.#shunned) if (untilMs <= nowMs) this.#shunned.delete(other);
    this.#shunned.set(node, nowMs + SHUN_MS);
  }

  /** There is news of a node that failed. */
  forgive(node: string): void {
    this.#shunned.delete(node);
  }

  /** Asks until one grants. */
  async run(plan: SearchPlan): Promise<void> {
    this.#interrupted = new AbortController();
    const { named, goesOn, except, tone } = plan;
    const known = new Map(plan.known.map((candidate) => [candidate.node, candidate]));
    const run: Run = { plan, tried: new Set(except === undefined ? [] : [except]), busy: [], known };
    // Who is known already is asked before anybody is looked up: that is a round trip, and no more.
    if (await this.#tryEach(this.linkedFirst(named), tone, run)) return;
    if (!goesOn || this.#isStopped) return;
    const { nodes } = await this.#needs.find();
    for (const candidate of nodes) known.set(candidate.node, candidate);
    if (await this.#tryEach(this.able(plan.order(nodes)), tone, run)) return;
    if (await this.#insist(run)) return;
    // Better somebody who failed a moment ago than nobody.
    await this.#tryEach([...this.#shunned.keys()], 'insistent', run);
  }

  /** Those of the nodes that may be asked, in order. */
  able(nodes: readonly string[]): string[] {
    const nowMs = this.#needs.clock.now();
    return [...new Set(nodes)].filter((node) => {
      return node !== this.#needs.self && (this.#shunned.get(node) ?? 0) <= nowMs;
    });
  }

  /** Those of the nodes that may be asked, in order, but for those that have a link which lives: they come first. */
  linkedFirst(nodes: readonly string[]): string[] {
    const able = this.able(nodes);
    return [...able.filter((node) => this.isLinked(node)), ...able.filter((node) => !this.isLinked(node))];
  }

  /** Is there a link to the node which lives? */
  isLinked(node: string): boolean {
    const peer = this.#needs.linkTo(node);
    return peer !== undefined && !isLinkSilent(peer, this.#needs.clock.now());
  }

  /** Who was busy is asked again, by one that has nobody else; and once more, as that may pass. */
  async #insist(run: Run): Promise<boolean> {
    const { busy } = run;
    const { except, isUrgent } = run.plan;
    const turns: Tone[] = isUrgent
      ? ['insistent', 'insistent']
      : ['plain', 'plain', 'insistent', 'insistent'];
    for (const [turn, tone] of turns.entries()) {
      if (busy.length === 0 || this.#isStopped) return false;
      if (turn > 0 || !isUrgent) await wait(this.#needs.clock, RETRY_MS);
      const tried = new Set<string>(except === undefined ? [] : [except]);
      if (await this.#tryEach(busy, tone, { ...run, tried, busy: [] })) return true;
    }
    return false;
  }

  async #tryEach(nodes: readonly string[], tone: Tone, run: Run): Promise<boolean> {
    for (const node of nodes) {
      if (this.#isStopped) return false;
      if (run.tried.has(node)) continue;
      run.tried.add(node);
      const answer = await this.#ask(node, tone);
      if (answer === 'granted') return true;
      if (answer === OVER) return false;
      if (!('is' in answer)) this.shun(node);
      else if (answer.why === 'fenced') this.#needs.fenced();
      else if (answer.why === 'busy') {
        run.busy.push(node);
        if (await this.#tryEach(run.plan.order(alternativesOf(node, answer, run.known)), tone, run))
          return true;
      }
    }
    return false;
  }

  async #ask(node: string, tone: Tone): Promise<Answer> {
    const answer = await this.#askOnce(node, tone);
    // One link was replaced by another: that is no answer of the node's.
    const isReplaced = answer !== 'granted' && !('is' in answer) && answer.code === LINK_CLOSED.code;
    return isReplaced && this.#needs.linkTo(node) ? this.#askOnce(node, tone) : answer;
  }

  get #isStopped(): boolean {
    return this.#isOver || this.#interrupted.signal.aborted;
  }

  /** @throws TidewayError if the node can't be reached, or the search is given up meanwhile */
  #dial(node: string): Promise<Peer> {
    const { signal } = this.#interrupted;
    return new Promise((resolve, reject) => {
      const giveUp = () => reject(new TidewayError(OVER.code, OVER.message));
      signal.addEventListener('abort', giveUp, { once: true });
      const done = () => signal.removeEventListener('abort', giveUp);
      this.#needs.dial(node).then(resolve, reject).finally(done);
    });
  }

  async #askOnce(node: string, tone: Tone): Promise<Answer> {
    let peer = this.#needs.linkTo(node);
    try {
      peer ??= await this.#dial(node);
    } catch (error) {
      if (this.#isStopped) return OVER;
      return { code: 'mesh.unreachable', message: messageOf(error) };
    }
    if (this.#isOver) return OVER;
    const to = peer;
    return new Promise((answered) => {
      this.#asking = { upstream: this.#needs.subscribe(to, tone), answered };
    });
  }
}

/** The nodes that a busy one names. Of those that nobody knows, it is most likely that it feeds them. */
function alternativesOf(
  busy: string,
  { alternatives, epoch }: Control<'no'>,
  known: ReadonlyMap<string, Candidate>,
): Candidate[] {
  const hops = (known.get(busy)?.hops ?? 0) + 1;
  return alternatives.map((node) => known.get(node) ?? { node, epoch, hops, upstream: busy, isOld: false });
}
