// Whose turn it is to call the operator's own server. Each kind of call has a lane, with places that no other takes: a flood
// of players keeps neither a publisher nor the end of a session waiting. Who finds no place waits in its lane, in order.
import type { Clock } from '../base/clock.ts';
import { TidewayError } from '../base/errors.ts';
import type { Table } from '../base/table.ts';

/** Asked: may they? Told: it is over. */
export type Question = 'on_publish' | 'on_play';
export type End = 'on_unpublish' | 'on_stop';
export type Call = Question | End;

/** Calls at once that a lane has to itself. */
const OWN_CALLS = 4;
/** And those that all lanes have together. */
const SHARED_CALLS = 16;
/** In each lane. */
const MAX_WAITING = 1_000;

class Lane {
  calls = 0;
  /** Starts who waits, the first first; at most MAX_WAITING. */
  readonly waiting = new Set<() => void>();

  get sharedCalls(): number {
    return Math.max(0, this.calls - OWN_CALLS);
  }
}

export class WebhookLanes {
  readonly #clock: Clock;
  /** The first get a shared place first. */
  readonly #lanes: Readonly<Record<Call, Lane>> = {
    on_publish: new Lane(),
    on_unpublish: new Lane(),
    on_play: new Lane(),
    on_stop: new Lane(),
  };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Does the work when its turn has come; at once, if there is a place. @throws TidewayError `webhook.busy`, `webhook.timeout` */
  async run<T>(call: Call, waitMs: number, work: () => Promise<T>): Promise<T> {
    const lane = this.#lanes[call];
    if (this.#hasPlace(lane)) lane.calls += 1;
    else await this.#turn(lane, waitMs);
    try {
      return await work();
    } finally {
      lane.calls -= 1;
      this.#startNext();
    }
  }

  get tables(): Table[] {
    const all = this.#all;
    const calls = all.reduce((sum, lane) => sum + lane.calls, 0);
    const maxCalls = all.length * OWN_CALLS + SHARED_CALLS;
    const waiting = (call: Call) => ({ entries: this.#lanes[call].waiting.size, limit: MAX_WAITING });
    return [
      { table: 'webhook_calls', entries: calls, limit: maxCalls },
      { table: 'webhook_publish_waiting', ...waiting('on_publish') },
      { table: 'webhook_unpublish_waiting', ...waiting('on_unpublish') },
      { table: 'webhook_play_waiting', ...waiting('on_play') },
      { table: 'webhook_stop_waiting', ...waiting('on_stop') },
    ];
  }

  get #all(): Lane[] {
    return Object.values(this.#lanes);
  }

  #hasPlace({ calls }: Lane): boolean {
    if (calls < OWN_CALLS) return true;
    return this.#all.reduce((sum, { sharedCalls }) => sum + sharedCalls, 0) < SHARED_CALLS;
  }

  /** The place is taken when it resolves. @throws TidewayError `webhook.busy`, `webhook.timeout` */
  #turn(lane: Lane, waitMs: number): Promise<void> {
    if (lane.waiting.size >= MAX_WAITING) {
      throw new TidewayError('webhook.busy', `${MAX_WAITING} such calls wait for the webhook already`);
    }
    return new Promise((resolve, reject) => {
      const late = this.#clock.after(waitMs, () => {
        lane.waiting.delete(start);
        reject(new TidewayError('webhook.timeout', `its turn did not come within ${waitMs} ms`));
      });
      const start = () => {
        late.cancel();
        lane.waiting.delete(start);
        lane.calls += 1;
        resolve();
      };
      lane.waiting.add(start);
    });
  }

  /** One place is free again. */
  #startNext(): void {
    const lane = this.#all.find((each) => each.waiting.size > 0 && this.#hasPlace(each));
    const [start] = lane?.waiting ?? [];
    start?.();
  }
}
