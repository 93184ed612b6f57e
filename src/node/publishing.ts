// How a publish comes about on this node: authorised, within the limits, and claimed from the registry; and how long its
// claim is kept: while the stream is live or held.
import type { Authorizer } from '../auth/authorizer.ts';
import type { Clock } from '../base/clock.ts';
import { type Reason, TidewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { MemoryBudget } from '../media/memory-budget.ts';
import { type HoldTimes, Publication, type PublishRequest } from '../media/publication.ts';
import type { Stream } from '../media/stream.ts';
import type { StreamDirectory } from '../media/stream-directory.ts';
import { ClaimKeeper } from '../registry/claim-keeper.ts';
import type { Claimant, HeldClaim } from '../registry/claimant.ts';
import type { Registry } from '../registry/registry.ts';

export interface PublishingOptions {
  /** What a second publisher of a stream gets: the stream, or a refusal. */
  readonly policy: 'takeover' | 'reject';
  readonly holds: HoldTimes;
}

export interface PublishingNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly authorizer: Authorizer;
  readonly budget: MemoryBudget;
  readonly directory: StreamDirectory;
  readonly claimant: Claimant;
  readonly registry: Registry;
}

const TAKEN_OVER: Reason = { code: 'publish.taken-over', message: 'a newer publisher took the stream over' };

export class Publishing {
  readonly #options: PublishingOptions;
  readonly #needs: PublishingNeeds;
  /** Of the streams that are published here, or held; bounded by limits.streams. */
  readonly #keepers = new Map<StreamKey, ClaimKeeper>();
  /** Keys that are being claimed. */
  readonly #opening = new Set<StreamKey>();
  /** Publications ever opened. */
  opened = 0;

  constructor(options: PublishingOptions, needs: PublishingNeeds) {
    this.#options = options;
    this.#needs = needs;
  }

  /** Opens a publication; see OpenPublication for what it throws. */
  async open(request: PublishRequest): Promise<Publication> {
    const { authorizer, budget, directory, claimant } = this.#needs;
    authorizer.checkPublish(request.query);
    if (budget.isOver) {
      throw new TidewayError(
        'publish.no-memory',
        'the streams of this node use all the memory they may: try later',
      );
    }
    const { key } = request;
    directory.checkRoom(key);
    this.#checkTaken(key);
    this.#opening.add(key);
    try {
      const answer = await claimant.claim(key, { mode: this.#options.policy, reason: 'publish' });
      if (answer.is === 'taken') throw taken(key);
      const publication = this.#begin(request, answer.claim);
      this.opened += 1;
      return publication;
    } finally {
      this.#opening.delete(key);
    }
  }

  /** A stream here went live, into hold, or ended: its claim says so, or goes. */
  streamChanged({ key, state }: Stream): void {
    const keeper = this.#keepers.get(key);
    if (state.at === 'ended') {
      this.#keepers.delete(key);
      void keeper?.release();
    } else {
      keeper?.setState(state.at === 'held' ? 'held' : 'live');
    }
  }

  #begin(request: PublishRequest, claim: HeldClaim): Publication {
    const { clock, log, registry, directory } = this.#needs;
    let stepDown = () => {};
    const keeper = new ClaimKeeper(claim, { registry, clock, random: Math.random, lost: () => stepDown() });
    try {
      const stream = directory.feed(request.key);
      if (stream.epoch > claim.epoch) throw new TidewayError(TAKEN_OVER.code, TAKEN_OVER.message);
      const grant = { epoch: claim.epoch, stream, holds: this.#options.holds };
      const publication = new Publication(request, grant, { clock, log });
      stepDown = () => {
        stream.detach(publication, TAKEN_OVER, this.#options.holds.holdMs);
        publication.displace(TAKEN_OVER);
      };
      void this.#keepers.get(request.key)?.release();
      this.#keepers.set(request.key, keeper);
      stream.attach(publication, TAKEN_OVER);
      return publication;
    } catch (error) {
      void keeper.release();
      throw error;
    }
  }

  /** Lets the newest publisher win, within the limit of takeovers. */
  #checkTaken(key: StreamKey): void {
    const stream = this.#needs.directory.get(key);
    const source = stream?.state.at === 'live' ? stream.state.source : undefined;
    if (this.#options.policy === 'reject' && (source || this.#opening.has(key))) throw taken(key);
    if (!stream || !source) return;
    const nowMs = this.#needs.clock.now();
    if (!stream.takeovers.allows(nowMs, source.silentMs(nowMs))) {
      const message = `${key} was taken over 3 times within a minute: stop one of the two publishers, wait a minute`;
      throw new TidewayError('publish.taken', message);
    }
  }
}

function taken(key: StreamKey): TidewayError {
  return new TidewayError('publish.taken', `${key} is being published: stop the other publisher first`);
}
