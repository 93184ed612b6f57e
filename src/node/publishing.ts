// How a publish comes about on this node: authorised, within the limits, claimed, and given an epoch.
import { randomInt } from 'node:crypto';
import type { Authorizer } from '../auth/authorizer.ts';
import type { Clock } from '../base/clock.ts';
import { type Reason, TidewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { MemoryBudget } from '../media/memory-budget.ts';
import { type HoldTimes, Publication, type PublishRequest } from '../media/publication.ts';
import type { Stream } from '../media/stream.ts';
import type { StreamDirectory } from '../media/stream-directory.ts';
import { epochTag, nextEpoch } from '../registry/epoch.ts';

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
}

const TAKEN_OVER: Reason = { code: 'publish.taken-over', message: 'a newer publisher took the stream over' };

export class Publishing {
  readonly #options: PublishingOptions;
  readonly #needs: PublishingNeeds;
  readonly #tag = epochTag(randomInt(2 ** 31));
  /** The highest epoch that this process granted, of any stream. */
  #highestEpoch = 0;
  /** Publications ever opened. */
  opened = 0;

  constructor(options: PublishingOptions, needs: PublishingNeeds) {
    this.#options = options;
    this.#needs = needs;
  }

  /** Opens a publication; see OpenPublication for what it throws. */
  async open(request: PublishRequest): Promise<Publication> {
    const { clock, log, authorizer, budget, directory } = this.#needs;
    authorizer.checkPublish(request.query);
    if (budget.isOver) {
      throw new TidewayError(
        'publish.no-memory',
        'the streams of this node use all the memory they may: try later',
      );
    }
    const stream = directory.feed(request.key);
    this.#checkTaken(stream);
    this.#highestEpoch = nextEpoch(Math.max(this.#highestEpoch, stream.epoch), clock.wallMs(), this.#tag);
    const grant = { epoch: this.#highestEpoch, stream, holds: this.#options.holds };
    const publication = new Publication(request, grant, { clock, log });
    stream.attach(publication, TAKEN_OVER);
    this.opened += 1;
    return publication;
  }

  /** Lets the newest publisher win, within the limit of takeovers. */
  #checkTaken(stream: Stream): void {
    if (stream.state.at !== 'live') return;
    if (this.#options.policy === 'reject') {
      throw new TidewayError(
        'publish.taken',
        `${stream.key} is being published: stop the other publisher first`,
      );
    }
    const nowMs = this.#needs.clock.now();
    if (!stream.takeovers.allows(nowMs, stream.state.source.silentMs(nowMs))) {
      const message = `${stream.key} was taken over 3 times within a minute: stop one of the two publishers, wait a minute`;
      throw new TidewayError('publish.taken', message);
    }
  }
}
