// The one event stream of the page: opened for what is looked at, opened again when it breaks or falls silent, closed while
// nobody looks. What comes of it is live-state.ts's.
import { ServerEventReader } from '../../src/format/server-events.ts';
import { type Api, ApiError } from './api.ts';
import { waitMs } from './backoff.ts';
import { EMPTY, type LinkState, type LiveEvent, type LiveState, liveEvent, told } from './live-state.ts';
import { withQuery } from './route.ts';
import { Store } from './store.ts';

/** What is listened to besides status, nodes and alarms. */
export interface Interest {
  /** Its tree; '': of none. */
  readonly stream: string;
  readonly events: boolean;
}

/** A status comes each second: a connection without one for so long is dead, whatever TCP says. */
const SILENT_MS = 5000;
const LOOK_MS = 500;

export class LiveFeed {
  readonly state = new Store<LiveState>(EMPTY);
  readonly link = new Store<LinkState>({ at: 'connecting' });
  readonly #api: Api;
  /** Undefined: no view has said yet. */
  #interest: Interest | undefined;
  #connection: AbortController | undefined;
  #retryTimer = 0;
  #tries = 0;
  #heardMs = 0;
  #isAwake = document.visibilityState === 'visible';

  constructor(api: Api) {
    this.#api = api;
    window.setInterval(() => this.#watch(), LOOK_MS);
    document.addEventListener('visibilitychange', () => this.#attend());
  }

  /** Called with what the view wants; the first time it connects, and the same again changes nothing. */
  lookAt(interest: Interest): void {
    const { stream, events } = this.#interest ?? {};
    if (interest.stream === stream && interest.events === events) return;
    if (interest.stream !== stream) this.state.set({ ...this.state.value, tree: undefined });
    this.#interest = interest;
    this.#connect();
  }

  /** Tries at once: there is a new token, or somebody is impatient. */
  reconnect(): void {
    this.#tries = 0;
    this.#connect();
  }

  /** A hidden page listens to nothing, and shows what is so as soon as it is looked at. */
  #attend(): void {
    const isAwake = document.visibilityState === 'visible';
    if (isAwake === this.#isAwake) return;
    this.#isAwake = isAwake;
    if (isAwake) this.reconnect();
    else this.#disconnect();
  }

  #disconnect(): void {
    window.clearTimeout(this.#retryTimer);
    this.#connection?.abort();
    this.#connection = undefined;
  }

  #connect(): void {
    this.#disconnect();
    const interest = this.#interest;
    if (!this.#isAwake || !interest) return;
    const connection = new AbortController();
    this.#connection = connection;
    this.#heardMs = performance.now();
    if (this.link.value.at === 'locked') this.link.set({ at: 'connecting' });
    this.#listen(interest, connection.signal).then(
      () => this.#lost(connection, new ApiError(0, 'page.ended', 'the node ended the connection')),
      (error: unknown) => this.#lost(connection, error),
    );
  }

  async #listen({ stream, events }: Interest, signal: AbortSignal): Promise<void> {
    const topics = ['status', 'nodes', 'alarms', ...(events ? ['events'] : [])].join(',');
    const body = await this.#api.stream(withQuery('events', { topics, stream }), signal);
    const reader = body.getReader();
    const text = new TextDecoder();
    const parser = new ServerEventReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || signal.aborted) return;
      this.#heardMs = performance.now();
      const events = parser.push(text.decode(value, { stream: true }));
      this.#take(events.flatMap(({ name, data }) => liveEvent(name, data) ?? []));
    }
  }

  /** One drawing for all that came at once. */
  #take(events: readonly LiveEvent[]): void {
    if (events.length === 0) return;
    this.#tries = 0;
    if (this.link.value.at !== 'open') this.link.set({ at: 'open' });
    const nowWallMs = Date.now();
    this.state.set(events.reduce((state, event) => toldOrNot(state, event, nowWallMs), this.state.value));
  }

  #lost(connection: AbortController, error: unknown): void {
    if (connection !== this.#connection) return;
    this.#connection = undefined;
    if (error instanceof ApiError && error.isLocked) {
      this.link.set({ at: 'locked', code: error.code, detail: error.message });
      return;
    }
    this.#tries += 1;
    const why = error instanceof ApiError ? error.message : 'the connection broke';
    this.link.set({ at: 'away', why });
    this.#retryTimer = window.setTimeout(() => this.#connect(), waitMs(this.#tries, Math.random()));
  }

  #watch(): void {
    const connection = this.#connection;
    if (!connection || performance.now() - this.#heardMs < SILENT_MS) return;
    connection.abort();
    this.#lost(connection, new ApiError(0, 'page.silent', 'the node fell silent'));
  }
}

/** What can't be understood, as of a node of another version, is passed over: then the page grows stale, and says so. */
function toldOrNot(state: LiveState, event: LiveEvent, nowWallMs: number): LiveState {
  try {
    return told(state, event, nowWallMs);
  } catch {
    return state;
  }
}
