// Who would feed a replica next: the standby of its upstream. It looks up now and then who else has the stream, keeps a
// link to one of them, and asks it how far it has got when nothing comes.
import type { Clock } from '../base/clock.ts';
import type { Candidate } from './candidates.ts';
import { isAhead } from './failure-detector.ts';
import type { Place } from './gate.ts';
import type { Peer } from './peer.ts';
import type { HeadAnswer } from './subscriptions.ts';

/** How often a standby is asked whether it has frames while there are none here. */
const ASK_MS = 500;
/** How often it is looked up who else has the stream; up to twice as long, so that not all look at once. */
const REFRESH_MS = 10_000;

export interface NextUpstreamNeeds {
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  /** Looks up who has the stream, and tells it by `learn`. Never rejects. */
  readonly find: () => Promise<unknown>;
  /** Those of the nodes that may be asked, best first, without the one that feeds it now. */
  readonly candidates: (known: readonly Candidate[]) => readonly string[];
  readonly linkTo: (node: string) => Peer | undefined;
  /** @throws TidewayError if the node can't be reached */
  readonly dial: (node: string) => Promise<Peer>;
  /** How far a peer has got; undefined if it doesn't say. */
  readonly head: (peer: Peer) => Promise<HeadAnswer | undefined>;
}

export class NextUpstream {
  readonly #needs: NextUpstreamNeeds;
  /** Bounded by what a lookup answers. */
  #known: readonly Candidate[] = [];
  #refreshAtMs: number;
  #askAtMs = 0;

  constructor(needs: NextUpstreamNeeds) {
    this.#needs = needs;
    this.#refreshAtMs = this.#nextRefreshMs();
  }

  /** The standby; undefined if nobody else is known to have the stream. */
  get node(): string | undefined {
    return this.#needs.candidates(this.#known)[0];
  }

  /** Those that had the stream when it was looked up last. */
  get known(): readonly Candidate[] {
    return this.#known;
  }

  /** These have the stream, as it was found just now. */
  learn(nodes: readonly Candidate[]): void {
    this.#known = nodes;
    this.#refreshAtMs = this.#nextRefreshMs();
  }

  /** What is known is looked up anew the next time that it is looked at. */
  hurry(): void {
    this.#refreshAtMs = 0;
  }

  /** Knows who else has the stream, and keeps a link to one of them open. */
  look(nowMs: number): void {
    if (nowMs < this.#refreshAtMs) return;
    this.#refreshAtMs = this.#nextRefreshMs();
    void this.#refresh().catch(() => {}); // A standby that can't be reached now is looked for again.
  }

  /** Where the standby is, if it is ahead of `place`; asked at most every ASK_MS. */
  async ahead(place: Place | undefined): Promise<Place | undefined> {
    const nowMs = this.#needs.clock.now();
    if (nowMs < this.#askAtMs) return undefined;
    this.#askAtMs = nowMs + ASK_MS;
    const { node } = this;
    const peer = node === undefined ? undefined : this.#needs.linkTo(node);
    const answer = peer && (await this.#needs.head(peer));
    if (!answer?.live) return undefined;
    const head: Place = { epoch: answer.epoch, seq: answer.seq };
    return isAhead(head, place) ? head : undefined;
  }

  async #refresh(): Promise<void> {
    await this.#needs.find();
    const { node } = this;
    if (node !== undefined && !this.#needs.linkTo(node)) await this.#needs.dial(node);
  }

  #nextRefreshMs(): number {
    return this.#needs.clock.now() + REFRESH_MS * (1 + this.#needs.random());
  }
}
