// The search for an upstream: one node after the other is asked for the stream, who is known and linked first, until one
// grants it. It knows who failed of late; what becomes of a grant is the replica's.
import type { Clock } from '../base/clock.ts';
import { messageOf, type Reason, TidewayError } from '../base/errors.ts';
import type { Control } from '../format/mesh/control.ts';
import { isLinkSilent } from './failure-detector.ts';
import type { Peer } from './peer.ts';
import type { Found } from './sources.ts';
import { LINK_CLOSED } from './subscriptions.ts';
import type { Upstream } from './upstream.ts';

/** A node that failed is not asked again for so long, unless there is nobody else. */
const SHUN_MS = 2_000;
/** Who is busy is asked again after so long: a change of upstream takes no longer. */
const RETRY_MS = 250;

export interface SearchNeeds {
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  /** This node. */
  readonly self: string;
  /** An open link to a node. */
  readonly linkTo: (node: string) => Peer | undefined;
  /** @throws TidewayError if the node can't be reached */
  readonly dial: (node: string) => Promise<Peer>;
  /** Who may have the stream; never rejects. */
  readonly find: () => Promise<Found>;
  /** Asks a peer; the answer comes by `granted` or `declined`. */
  readonly subscribe: (peer: Peer, insist: boolean) => Upstream;
  /** A peer is behind the epoch that this node knows. */
  readonly fenced: () => void;
}

/** What is to be searched. */
export interface SearchPlan {
  /** Asked first, in this order. */
  readonly named: readonly string[];
  /** Are others asked if none of those has it? */
  readonly goesOn: boolean;
  /** It feeds this node now, and is not asked. */
  readonly except: string | undefined;
}

type Answer = 'granted' | Control<'no'> | Reason;

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
  async run({ named, goesOn, except }: SearchPlan): Promise<void> {
    this.#interrupted = new AbortController();
    const tried = new Set<string>(except === undefined ? [] : [except]);
    const busy: string[] = [];
    // Who is known already is asked before anybody is looked up: that is a round trip, and no more.
    if (await this.#tryEach(this.candidates(named), { tried, busy, insist: false })) return;
    if (!goesOn || this.#isStopped) return;
    const { nodes } = await this.#needs.find();
    if (await this.#tryEach(this.candidates(nodes), { tried, busy, insist: false })) return;
    if (await this.#insist(busy, except)) return;
    // Better somebody who failed a moment ago than nobody.
    await this.#tryEach([...this.#shunned.keys()], { tried, busy, insist: true });
  }

  /** Those of the nodes that may be asked, in order, but for those that have a link which lives: they come first. */
  candidates(nodes: readonly string[]): string[] {
    const nowMs = this.#needs.clock.now();
    const able = [...new Set(nodes)].filter((node) => {
      return node !== this.#needs.self && (this.#shunned.get(node) ?? 0) <= nowMs;
    });
    const isNear = (node: string) => {
      const peer = this.#needs.linkTo(node);
      return peer !== undefined && !isLinkSilent(peer, nowMs);
    };
    return [...able.filter(isNear), ...able.filter((node) => !isNear(node))];
  }

  /** Who was busy is asked again, by one that has nobody else; and once more, as that may pass. */
  async #insist(busy: readonly string[], except: string | undefined): Promise<boolean> {
    for (let turn = 0; turn < 2 && busy.length > 0 && !this.#isStopped; turn += 1) {
      if (turn > 0) await new Promise<void>((resolve) => this.#needs.clock.after(RETRY_MS, resolve));
      const tried = new Set<string>(except === undefined ? [] : [except]);
      if (await this.#tryEach(busy, { tried, busy: [], insist: true })) return true;
    }
    return false;
  }

  async #tryEach(
    nodes: readonly string[],
    so: { readonly tried: Set<string>; readonly busy: string[]; readonly insist: boolean },
  ): Promise<boolean> {
    for (const node of nodes) {
      if (this.#isStopped) return false;
      if (so.tried.has(node)) continue;
      so.tried.add(node);
      const answer = await this.#ask(node, so.insist);
      if (answer === 'granted') return true;
      if (answer === OVER) return false;
      if (!('is' in answer)) this.shun(node);
      else if (answer.why === 'fenced') this.#needs.fenced();
      else if (answer.why === 'busy') {
        so.busy.push(node);
        if (await this.#tryEach(shuffled(answer.alternatives, this.#needs.random), so)) return true;
      }
    }
    return false;
  }

  async #ask(node: string, insist: boolean): Promise<Answer> {
    const answer = await this.#askOnce(node, insist);
    // One link was replaced by another: that is no answer of the node's.
    const isReplaced = answer !== 'granted' && !('is' in answer) && answer.code === LINK_CLOSED.code;
    return isReplaced && this.#needs.linkTo(node) ? this.#askOnce(node, insist) : answer;
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

  async #askOnce(node: string, insist: boolean): Promise<Answer> {
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
      this.#asking = { upstream: this.#needs.subscribe(to, insist), answered };
    });
  }
}

function shuffled(nodes: readonly string[], random: () => number): string[] {
  return nodes
    .map((node) => ({ node, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ node }) => node);
}
