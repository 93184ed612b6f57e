// Every stream of this node by its key, and those who wait for one that is not there yet. It leaves nothing behind.
import type { Clock } from '../base/clock.ts';
import { type Reason, TidewayError } from '../base/errors.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import { MediaCounters } from './counters.ts';
import { Stream, type StreamNeeds, type StreamOptions } from './stream.ts';
import { Turns } from './turns.ts';

/** What a door asks for a player. */
export interface PlayRequest {
  readonly key: StreamKey;
  readonly query: URLSearchParams;
  readonly protocol: 'rtmp' | 'http-flv' | 'ws-flv';
  /** "address:port" of the player. */
  readonly remote: string;
  /** The player went while it waited. */
  readonly signal: AbortSignal;
}

/**
 * The stream of a key; one that is not there is waited for.
 * @throws TidewayError `play.no-memory`, `play.too-many-players`, `play.too-many-of-stream`, `play.not-found`,
 *   `play.too-many-waiting`, `play.gone`, `limits.files`, `node.draining`, `node.stopping`
 */
export type OpenStream = (request: PlayRequest) => Promise<Stream>;

export interface DirectoryLimits {
  readonly maxStreams: number;
  /** Players at once; undefined: as many as come. */
  readonly maxPlayers?: number | undefined;
  /** Players of one stream at once; undefined: as many as come. */
  readonly maxPlayersPerStream?: number | undefined;
  /** How long a player waits for a stream that is not there, ms. */
  readonly waitMs: number;
  /** Keys that may be waited for at once. */
  readonly maxWaitingKeys: number;
}

export interface DirectoryNeeds extends Omit<StreamNeeds, 'turns' | 'counters'> {
  /**
   * Players began to wait for a key that is not here. Not called again while one waits for it. It may feed the key at once,
   * and never throws.
   */
  readonly seek: (key: StreamKey) => void;
}

type Waiter = (answer: Stream | TidewayError) => void;

export class StreamDirectory {
  readonly #streams = new Map<StreamKey, Stream>();
  readonly #waiting = new Map<StreamKey, Set<Waiter>>();
  readonly #limits: DirectoryLimits;
  readonly #options: StreamOptions;
  readonly #needs: DirectoryNeeds;
  readonly #clock: Clock;
  readonly counters = new MediaCounters();
  /** All streams write in turn. */
  readonly turns: Turns;
  #stopped: TidewayError | undefined;

  constructor(limits: DirectoryLimits, options: StreamOptions, needs: DirectoryNeeds) {
    this.#limits = limits;
    this.#options = options;
    this.#needs = needs;
    this.#clock = needs.clock;
    this.turns = new Turns(needs.clock);
  }

  get streams(): Iterable<Stream> {
    return this.#streams.values();
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  get waitingKeyCount(): number {
    return this.#waiting.size;
  }

  get tables(): Table[] {
    const { maxStreams, maxWaitingKeys } = this.#limits;
    let waiting = 0;
    for (const waiters of this.#waiting.values()) waiting += waiters.size;
    return [
      { table: 'streams', entries: this.#streams.size, limit: maxStreams },
      { table: 'waiting_keys', entries: this.#waiting.size, limit: maxWaitingKeys },
      { table: 'waiting_players', entries: waiting, limit: undefined },
      ...this.turns.tables,
    ];
  }

  /** The logs of all streams evict what is over their bounds, the biggest first: those, too, that nothing is appended to. */
  shed(): void {
    for (const stream of [...this.#streams.values()].sort((a, b) => b.logBytes - a.logBytes)) stream.trim();
  }

  /** Is the stream here, live or held? */
  has(key: StreamKey): boolean {
    return this.#streams.has(key);
  }

  /** Do players wait for this key? */
  isWaitedFor(key: StreamKey): boolean {
    return this.#waiting.has(key);
  }

  /** The stream of a key, if it is here. */
  get(key: StreamKey): Stream | undefined {
    return this.#streams.get(key);
  }

  /** The stream of a key, for who plays it. */
  async open(request: PlayRequest): Promise<Stream> {
    if (this.#stopped) throw this.#stopped;
    if (this.#needs.budget.refusesJoins) {
      const message = 'the media of this node use nearly all the memory they may: try later, or another node';
      throw new TidewayError('play.no-memory', message);
    }
    const { maxPlayers } = this.#limits;
    if (maxPlayers !== undefined && this.counters.players >= maxPlayers) {
      const message = `this node has all the players it may have (${maxPlayers}): use another, or raise routing.limits.players`;
      throw new TidewayError('play.too-many-players', message, { players: maxPlayers });
    }
    const stream = this.#streams.get(request.key) ?? (await this.#wait(request));
    if (stream instanceof TidewayError) throw stream;
    const { maxPlayersPerStream } = this.#limits;
    if (maxPlayersPerStream !== undefined && stream.playerCount >= maxPlayersPerStream) {
      const message = `${request.key} has all the players it may have here (${maxPlayersPerStream}): see play.maxPlayersPerStream`;
      throw new TidewayError('play.too-many-of-stream', message, { players: maxPlayersPerStream });
    }
    return stream;
  }

  /**
   * May a stream of this key be fed here? Asked before anything is taken from others for it.
   * @throws TidewayError `publish.too-many-streams`, `node.stopping`
   */
  checkRoom(key: StreamKey): void {
    if (this.#stopped) throw this.#stopped;
    if (!this.#streams.has(key) && this.#streams.size >= this.#limits.maxStreams) {
      throw new TidewayError(
        'publish.too-many-streams',
        `this node has all the streams it may have (${this.#limits.maxStreams}): raise limits.streams`,
        { streams: this.#limits.maxStreams },
      );
    }
  }

  /**
   * The stream of a key, for who feeds it; made if it is not there. The caller attaches a source in the same turn.
   * @throws TidewayError as `checkRoom` does
   */
  feed(key: StreamKey): Stream {
    this.checkRoom(key);
    const known = this.#streams.get(key);
    if (known) return known;
    const stream = new Stream(key, this.#options, {
      ...{ ...this.#needs, turns: this.turns, counters: this.counters },
      changed: this.#changed,
    });
    this.#streams.set(key, stream);
    this.#answer(key, stream);
    return stream;
  }

  /** Refuses those who wait for a stream. */
  turnAway(why: Reason): void {
    const refusal = new TidewayError(why.code, why.message);
    for (const key of [...this.#waiting.keys()]) this.#answer(key, refusal);
  }

  /** Ends the players of every stream; the streams go on. */
  endPlayers(why: Reason): void {
    for (const stream of [...this.#streams.values()]) stream.endPlayers(why);
  }

  /** Ends every stream and every wait; from now on nothing is opened. */
  stop(why: Reason): void {
    this.#stopped = new TidewayError(why.code, why.message);
    for (const stream of [...this.#streams.values()]) stream.end(why);
    this.turnAway(why);
  }

  readonly #changed = (stream: Stream): void => {
    if (stream.state.at === 'ended' && this.#streams.get(stream.key) === stream)
      this.#streams.delete(stream.key);
    this.#needs.changed(stream);
  };

  #answer(key: StreamKey, answer: Stream | TidewayError): void {
    const waiters = this.#waiting.get(key);
    this.#waiting.delete(key);
    for (const waiter of waiters ?? []) waiter(answer);
  }

  #wait({ key, signal }: PlayRequest): Promise<Stream | TidewayError> {
    let waiters = this.#waiting.get(key);
    if (!waiters) {
      if (this.#waiting.size >= this.#limits.maxWaitingKeys) {
        const message = `players wait for ${this.#waiting.size} unknown streams already: try again in a moment`;
        return Promise.resolve(new TidewayError('play.too-many-waiting', message));
      }
      waiters = new Set();
      this.#waiting.set(key, waiters);
    }
    const row = waiters;
    const isFirst = row.size === 0;
    const answer = new Promise<Stream | TidewayError>((resolve) => {
      const finish: Waiter = (answer) => {
        timer.cancel();
        signal.removeEventListener('abort', gone);
        row.delete(finish);
        if (row.size === 0 && this.#waiting.get(key) === row) this.#waiting.delete(key);
        resolve(answer);
      };
      const gone = () => finish(new TidewayError('play.gone', 'the player went while it waited'));
      const timer = this.#clock.after(this.#limits.waitMs, () => {
        const message = `no stream ${key} came up within ${this.#limits.waitMs} ms`;
        finish(new TidewayError('play.not-found', message, { stream: key }));
      });
      row.add(finish);
      signal.addEventListener('abort', gone);
      if (signal.aborted) gone();
    });
    if (isFirst && row.size > 0) this.#needs.seek(key);
    return answer;
  }
}
