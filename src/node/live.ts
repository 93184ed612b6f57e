// What is told live of the cluster: each second one round of looking, for all who listen, and none while nobody does. Who
// takes less than it is told is closed; nothing is kept for who was away.
import { type Clock, every, type Timer } from '../base/clock.ts';
import { TidewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { StreamKey } from '../base/stream-key.ts';
import { serverEventText } from '../format/server-events.ts';
import type { StateSource } from '../http/cluster-api.ts';
import type { LiveName } from '../http/forms/live.ts';
import type { LiveCaller, LiveFeed, LiveSink, LiveWish, Topic } from '../http/live-api.ts';
import { counter, gauge, type MetricFamily } from '../observe/metrics.ts';
import type { AskNodes } from './cluster-ask.ts';
import { AlarmNews, EventNews, NodeNews } from './live-news.ts';
import { mapSome } from './map-some.ts';

/** Who listens to one node. */
export const MAX_LISTENERS = 64;
/** Of those, with one token, or without one from this machine. */
export const MAX_LISTENERS_OF_CALLER = 16;
/** Written to a listener and not taken: beyond it, it is closed. */
export const MAX_BACKLOG_BYTES = 1024 * 1024;
const ROUND_MS = 1_000;
/** Who comes waits no longer for what is there; but not each who comes has all looked for. */
const SOONEST_MS = 200;
const PING_MS = 15_000;
/** A browser that lost the node asks again after it. */
const RETRY_MS = 2_000;
/** So far back nodes are asked: one that was silent for some rounds is heard of later. */
const WITHIN_MS = 10_000;
/** Of each node. */
const MAX_ALARMS = 1_000;
const MAX_EVENTS = 200;
/** Streams that are asked for at once: others ask the cluster, too. */
const STREAMS_AT_ONCE = 2;
const REQUEST = 'live';
const STOPPING = 'the node is stopping: listen at another one';

export interface LiveNeeds {
  readonly clock: Clock;
  readonly log: Log;
  /** The id of this node. */
  readonly node: string;
  readonly version: string;
  readonly state: StateSource & { envelope(): { readonly asOf: string } };
  readonly ask: AskNodes;
}

interface Listener extends LiveWish {
  readonly sink: LiveSink;
  readonly caller: LiveCaller;
  /** It has not been told yet what is there. */
  isNew: boolean;
}

export class Live implements LiveFeed {
  readonly #needs: LiveNeeds;
  readonly #listeners = new Set<Listener>();
  readonly #nodes = new NodeNews();
  readonly #alarms = new AlarmNews();
  readonly #events = new EventNews();
  #next: Timer | undefined;
  #ping: Timer | undefined;
  #isLooking = false;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #isOver = false;
  /** Of the last event. */
  #id = 0;
  /** Counters that metrics read. */
  rounds = 0;
  sentBytes = 0;
  slow = 0;
  refused = 0;
  revoked = 0;

  constructor(needs: LiveNeeds) {
    this.#needs = needs;
  }

  listen(wish: LiveWish, sink: LiveSink, caller: LiveCaller): () => void {
    if (this.#isOver) throw new TidewayError('node.stopping', STOPPING);
    this.#checkRoom(caller);
    const { node, version, state, clock } = this.#needs;
    const listener: Listener = { ...wish, sink, caller, isNew: true };
    this.#listeners.add(listener);
    this.#ping ??= every(clock, PING_MS, () => this.#tellAll(': ping\n\n'));
    const hello = this.#eventText('hello', { node, version, asOf: state.envelope().asOf });
    this.#write(listener, `retry: ${RETRY_MS}\n${hello}`);
    if (!this.#isLooking) this.#schedule(Math.max(0, this.#lookedMs + SOONEST_MS - clock.now()));
    return () => this.#gone(listener);
  }

  /** The configuration has changed: who would not be let in any more is told no more. */
  admitAgain(): void {
    for (const listener of [...this.#listeners]) {
      const { caller, sink } = listener;
      if (caller.isStillAdmitted()) continue;
      this.revoked += 1;
      this.#needs.log.info({ remote: sink.remote, who: caller.name }, 'live.listener-revoked');
      this.#end(listener);
    }
  }

  /** Ends what everybody listens to. Calm when repeated. */
  stop(): void {
    this.#isOver = true;
    for (const listener of [...this.#listeners]) this.#end(listener);
  }

  metrics(): MetricFamily[] {
    return [
      gauge('tideway_live_listeners', 'Who listens to live events of the API.', this.#listeners.size),
      gauge('tideway_live_seen_rows', 'Alarms and events that are known not to be new.', this.#seenRows),
      counter('tideway_live_rounds_total', 'Times that the cluster was looked at for them.', this.rounds),
      counter('tideway_live_sent_bytes_total', 'Bytes told to them.', this.sentBytes),
      counter(
        'tideway_live_slow_total',
        'Listeners closed, since they took less than they were told.',
        this.slow,
      ),
      counter(
        'tideway_live_refused_total',
        'Listeners turned away, since there were too many, in all or of one caller.',
        this.refused,
      ),
      counter(
        'tideway_live_revoked_total',
        'Listeners ended, since a new configuration does not let them in.',
        this.revoked,
      ),
    ];
  }

  get #seenRows(): number {
    return this.#alarms.size + this.#events.size;
  }

  #checkRoom({ name }: LiveCaller): void {
    let own = 0;
    for (const { caller } of this.#listeners) own += caller.name === name ? 1 : 0;
    if (own >= MAX_LISTENERS_OF_CALLER) {
      this.refused += 1;
      const message = `"${name}" listens ${own} times to this node already: close some, or use another token`;
      throw new TidewayError('api.too-many-of-caller', message);
    }
    if (this.#listeners.size < MAX_LISTENERS) return;
    this.refused += 1;
    const message = `${MAX_LISTENERS} listen to this node already: listen at another one`;
    throw new TidewayError('api.too-many-listeners', message);
  }

  #end(listener: Listener): void {
    listener.sink.end();
    this.#gone(listener);
  }

  #gone(listener: Listener): void {
    if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return;
    this.#next?.cancel();
    this.#ping?.cancel();
    this.#ping = undefined;
    // A round that is under way may take it in anew.
    if (!this.#isLooking) this.#forget();
  }

  /** While nobody listens much happens that is no news to who comes next. */
  #forget(): void {
    for (const news of [this.#nodes, this.#alarms, this.#events]) news.forget();
  }

  #schedule(ms: number): void {
    this.#next?.cancel();
    this.#next = this.#needs.clock.after(ms, () => void this.#round());
  }

  async #round(): Promise<void> {
    this.#isLooking = true;
    this.#lookedMs = this.#needs.clock.now();
    this.rounds += 1;
    let isSomebodyNew = false;
    try {
      await this.#look([...this.#listeners]);
      isSomebodyNew = [...this.#listeners].some(({ isNew }) => isNew);
    } catch (err) {
      this.#needs.log.error({ err }, 'live.round-failed');
    }
    this.#isLooking = false;
    if (this.#listeners.size === 0) {
      this.#forget();
      return;
    }
    const spentMs = this.#needs.clock.now() - this.#lookedMs;
    this.#schedule(Math.max(0, (isSomebodyNew ? SOONEST_MS : ROUND_MS) - spentMs));
  }

  async #look(listeners: readonly Listener[]): Promise<void> {
    const wanting = (topic: Topic) => listeners.filter(({ topics }) => topics.has(topic));
    this.#lookAtStatus(wanting('status'));
    this.#lookAtNodes(wanting('nodes'));
    const streams = [...new Set(listeners.flatMap(({ stream }) => stream ?? []))];
    await Promise.all([
      mapSome(streams, STREAMS_AT_ONCE, (key) => this.#lookAtStream(key, listeners)),
      this.#lookAtAlarms(wanting('alarms')),
      this.#lookAtEvents(wanting('events')),
    ]);
    for (const listener of listeners) listener.isNew = false;
  }

  #lookAtStatus(listeners: readonly Listener[]): void {
    if (listeners.length > 0) this.#tell(listeners, 'status', this.#needs.state.status());
  }

  #lookAtNodes(listeners: readonly Listener[]): void {
    if (listeners.length === 0) {
      this.#nodes.forget();
      return;
    }
    const { asOf, nodes } = this.#needs.state.nodes();
    const news = this.#nodes.take(nodes);
    const fresh = listeners.filter(({ isNew }) => isNew);
    const others = listeners.filter(({ isNew }) => !isNew);
    if (fresh.length > 0) this.#tell(fresh, 'nodes', { asOf, changed: nodes, gone: [] });
    if (others.length === 0 || news.changed.length + news.gone.length === 0) return;
    this.#tell(others, 'nodes', { asOf, ...news });
  }

  async #lookAtStream(key: StreamKey, listeners: readonly Listener[]): Promise<void> {
    const found = await this.#unlessRefused(this.#needs.state.stream(key, REQUEST));
    if (found === 'refused') return;
    this.#tell(
      listeners.filter(({ stream }) => stream === key),
      'stream',
      found ?? null,
    );
  }

  async #lookAtAlarms(listeners: readonly Listener[]): Promise<void> {
    if (listeners.length === 0) {
      this.#alarms.forget();
      return;
    }
    const { ask, state } = this.#needs;
    const told = await this.#unlessRefused(
      ask.all('alarms', { withinMs: WITHIN_MS, limit: MAX_ALARMS }, REQUEST),
    );
    if (told === 'refused') return;
    const news = this.#alarms.take(told, state.envelope().asOf);
    const fresh = listeners.filter(({ isNew }) => isNew);
    for (const row of this.#alarms.lasting) this.#tell(fresh, 'alarm', row);
    const others = listeners.filter(({ isNew }) => !isNew);
    for (const row of news) this.#tell(others, 'alarm', row);
  }

  async #lookAtEvents(listeners: readonly Listener[]): Promise<void> {
    if (listeners.length === 0) {
      this.#events.forget();
      return;
    }
    const told = await this.#unlessRefused(
      this.#needs.ask.all('events', { withinMs: WITHIN_MS, limit: MAX_EVENTS }, REQUEST),
    );
    if (told === 'refused') return;
    for (const row of this.#events.take(told.rows)) this.#tell(listeners, 'event', row);
  }

  /** Too many questions wait, or the registry has no answer: this one is asked again in the next round. */
  async #unlessRefused<T>(answer: Promise<T>): Promise<T | 'refused'> {
    try {
      return await answer;
    } catch (error) {
      if (error instanceof TidewayError) return 'refused';
      throw error;
    }
  }

  /** Written once for all of them. */
  #tell(listeners: readonly Listener[], name: LiveName, told: unknown): void {
    if (listeners.length === 0) return;
    const text = this.#eventText(name, told);
    for (const listener of listeners) this.#write(listener, text);
  }

  #tellAll(text: string): void {
    for (const listener of [...this.#listeners]) this.#write(listener, text);
  }

  #eventText(name: LiveName, told: unknown): string {
    this.#id += 1;
    return serverEventText(name, this.#id, JSON.stringify(told));
  }

  #write(listener: Listener, text: string): void {
    if (!this.#listeners.has(listener)) return;
    const { sink } = listener;
    sink.write(text);
    this.sentBytes += Buffer.byteLength(text);
    const { backlogBytes, remote } = sink;
    if (backlogBytes <= MAX_BACKLOG_BYTES) return;
    this.slow += 1;
    this.#needs.log.warn({ remote, backlogBytes }, 'live.listener-slow');
    this.#gone(listener);
    sink.cut();
  }
}
