// How a node is emptied: who may come while it drains, when nobody is left, what happens at the deadline, and the way back.
// It knows no socket and no peer; those who do are told.
import { type Clock, every, type Timer } from '../base/clock.ts';
import { type Reason, TidewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { DrainControl } from '../http/node-control-api.ts';

export const DRAIN_STATES = ['serving', 'draining', 'drained'] as const;
/** `drained`: nobody was left, or the deadline has passed. */
export type DrainState = (typeof DRAIN_STATES)[number];

/** Who is on the node. */
export interface DrainLeft {
  readonly players: number;
  /** Those that stand by among them. */
  readonly publishers: number;
  /** Streams that other nodes pull from it. */
  readonly children: number;
}

export interface DrainSummary extends DrainLeft {
  readonly state: DrainState;
  /** When the drain began, ms since 1970; undefined while it serves. */
  readonly sinceWallMs: number | undefined;
  /** Until players and publishers are ended, ms; undefined while it serves. */
  readonly deadlineMs: number | undefined;
}

export interface DrainNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly left: () => DrainLeft;
  /** The cluster is told, and who can go elsewhere is sent there. */
  readonly begun: (why: Reason, deadlineMs: number) => void;
  /** The deadline has passed: players and publishers are ended. */
  readonly ended: (why: Reason) => void;
  /** The node takes everybody again. */
  readonly undone: () => void;
}

const LOOK_EVERY_MS = 100;

const DRAINING: Reason = {
  code: 'node.draining',
  message: 'the node is being emptied, and takes nobody new: use another node',
};
const DRAINED: Reason = {
  code: 'node.drained',
  message: 'the node was emptied, and the deadline has passed: connect to another node',
};
const STOPPING = 'the node was told to stop: it is emptied first, and takes nobody any more';

/** A drain that was begun. */
interface Begun {
  readonly at: 'draining' | 'drained';
  readonly sinceMs: number;
  readonly sinceWallMs: number;
  readonly untilMs: number;
}

export class Drain {
  readonly #needs: DrainNeeds;
  #state: { readonly at: 'serving' } | Begun = { at: 'serving' };
  #deadline: Timer | undefined;
  #look: Timer | undefined;
  /** The node stops behind it: there is no way back. */
  #isFinal = false;
  #isOver = false;
  /** Told once it is drained. */
  #waiting: (() => void)[] = [];

  constructor(needs: DrainNeeds) {
    this.#needs = needs;
  }

  get state(): DrainState {
    return this.#state.at;
  }

  get summary(): DrainSummary {
    const state = this.#state;
    const left = this.#needs.left();
    if (state.at === 'serving')
      return { state: state.at, sinceWallMs: undefined, deadlineMs: undefined, ...left };
    const deadlineMs = Math.max(0, Math.round(state.untilMs - this.#needs.clock.now()));
    return { state: state.at, sinceWallMs: state.sinceWallMs, deadlineMs, ...left };
  }

  /** Why publishers and players had better go to another node; undefined: they need not. */
  get notReady(): Reason | undefined {
    return this.#state.at === 'serving' ? undefined : DRAINING;
  }

  /**
   * May a new publisher or player come in?
   * @throws TidewayError `node.draining`
   */
  check(): void {
    if (this.#state.at !== 'serving') throw new TidewayError(DRAINING.code, DRAINING.message);
  }

  /**
   * Begins a drain, or gives the one that runs another deadline; who is left is asked to go once more. Where the node
   * stops behind it, the deadline is never put off.
   * @throws TidewayError `node.stopping`
   */
  begin(deadlineMs: number): void {
    if (this.#isOver) throw new TidewayError('node.stopping', STOPPING);
    const { clock, log, left, begun } = this.#needs;
    const before = this.#state;
    const nowMs = clock.now();
    const askedMs = nowMs + deadlineMs;
    const untilMs = before.at !== 'serving' && this.#isFinal ? Math.min(before.untilMs, askedMs) : askedMs;
    const leftMs = Math.max(0, untilMs - nowMs);
    const { sinceMs, sinceWallMs } =
      before.at === 'draining' ? before : { sinceMs: nowMs, sinceWallMs: clock.wallMs() };
    this.#state = { at: 'draining', sinceMs, sinceWallMs, untilMs };
    log.info({ deadlineMs: Math.round(leftMs), ...left() }, 'node.drain');
    this.#cancel();
    this.#deadline = clock.after(leftMs, () => this.#overdue());
    this.#look = every(clock, LOOK_EVERY_MS, () => this.#lookAround());
    begun(DRAINING, leftMs);
    this.#lookAround();
  }

  /**
   * Drains before the node stops: resolves once nobody is left, or the deadline has passed. A drain that runs already goes
   * on, with the deadline that comes first.
   */
  finish(deadlineMs: number): Promise<void> {
    this.#isFinal = true;
    if (!this.#isOver && this.#state.at !== 'drained') this.begin(deadlineMs);
    if (this.#isOver || this.#state.at === 'drained') return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /**
   * The node takes publishers, players and children again, also after the deadline. Calm when it does.
   * @throws TidewayError `node.stopping`
   */
  undo(): void {
    if (this.#isFinal) throw new TidewayError('node.stopping', STOPPING);
    const before = this.#state;
    if (before.at === 'serving') return;
    this.#cancel();
    this.#state = { at: 'serving' };
    this.#needs.log.info({ ...this.#fields(before) }, 'node.drain-undone');
    this.#needs.undone();
  }

  /** The node stops: nothing is looked at any more, and who waits for the end of the drain waits no longer. */
  stop(): void {
    this.#isFinal = true;
    this.#isOver = true;
    this.#cancel();
    this.#tellWaiting();
  }

  #lookAround(): void {
    const { players, publishers, children } = this.#needs.left();
    if (players + publishers + children === 0) this.#drained();
  }

  #overdue(): void {
    // Who came in the moment before it was empty is ended, too.
    if (this.#state.at === 'draining') this.#drained();
    this.#needs.ended(DRAINED);
  }

  #drained(): void {
    const state = this.#state;
    if (state.at !== 'draining') return;
    this.#look?.cancel();
    this.#state = { ...state, at: 'drained' };
    this.#needs.log.info(this.#fields(state), 'node.drained');
    this.#tellWaiting();
  }

  #fields({ sinceMs }: Begun) {
    return { durationMs: Math.round(this.#needs.clock.now() - sinceMs), ...this.#needs.left() };
  }

  #tellWaiting(): void {
    for (const told of this.#waiting.splice(0)) told();
  }

  #cancel(): void {
    this.#look?.cancel();
    this.#deadline?.cancel();
  }
}

/** The drain of a node, for its API. */
export function drainControl(node: string, drain: Drain): DrainControl {
  return {
    state: () => {
      const { sinceWallMs, deadlineMs = null, ...summary } = drain.summary;
      const since = sinceWallMs === undefined ? null : new Date(sinceWallMs).toISOString();
      return { node, ...summary, since, deadlineMs };
    },
    begin: (deadlineMs) => drain.begin(deadlineMs),
    undo: () => drain.undo(),
  };
}
