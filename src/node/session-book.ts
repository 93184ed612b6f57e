// The sessions of this node: its publishers and players by their ids, those that are here and those that ended of late. It
// lists and ends them.
import type { Action } from '../auth/rules.ts';
import type { WebhookSubject } from '../auth/webhooks.ts';
import { type Clock, every, type Timer } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { sessionBrought } from '../base/redirect.ts';
import type { SessionOf } from '../base/session-id.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import type { NodeAnswers } from '../http/forms/questions.ts';
import type { SessionRow } from '../http/forms/sessions.ts';
import type { Player } from '../media/player.ts';
import type { SessionRegister } from '../media/session-register.ts';
import { counter, gauge, type MetricFamily } from '../observe/metrics.ts';
import { OpenSession } from './open-session.ts';
import type { PublisherSeat } from './publisher-seat.ts';
import type { PublisherRegister } from './publishing.ts';

/** Rates are looked at so often, whether somebody asks or not: one that is asked for is of late. */
const LOOK_MS = 2_000;
/** Sessions that are over and still listed. */
const MAX_ENDED = 500;

const KICKED: Reason = {
  code: 'session.kicked',
  message: 'the session was ended by an operator of the node',
};

export interface SessionBookNeeds {
  readonly clock: Clock;
  readonly log: Log;
  /** This node. */
  readonly node: string;
  readonly newId: () => string;
  /** Is somebody to be told when what begins now on the stream is over? */
  readonly tellsEnd?: (action: Action, key: StreamKey) => boolean;
  /** Told of who was let in, and is over. */
  readonly ended?: (action: Action, subject: WebhookSubject) => void;
}

/** A session that is over. */
interface EndedSession {
  readonly row: SessionRow;
  readonly startedMs: number;
}

export class SessionBook implements SessionRegister, PublisherRegister {
  readonly #needs: SessionBookNeeds;
  /** By id; the oldest first. Bounded by the doors' connection limits. */
  readonly #publishers = new Map<string, OpenSession>();
  readonly #players = new Map<string, OpenSession>();
  /** The oldest first; at most MAX_ENDED. */
  readonly #ended: EndedSession[] = [];
  #kicks = 0;
  #looks: Timer | undefined;

  constructor(needs: SessionBookNeeds) {
    this.#needs = needs;
  }

  start(): void {
    this.#looks ??= every(this.#needs.clock, LOOK_MS, () => this.#look());
  }

  stop(): void {
    this.#looks?.cancel();
    this.#looks = undefined;
  }

  /** The id that another node gave to who comes with this query, unless it is in use here; else a new one. */
  readonly idOf: SessionOf = (query) => this.free(sessionBrought(query) ?? this.#needs.newId());

  free(session: string): string {
    let id = session;
    while (this.#find(id)) id = this.#needs.newId();
    return id;
  }

  // Of players

  joined(key: StreamKey, player: Player): void {
    const { session: id } = player;
    if (id === undefined) return;
    this.#players.set(id, new OpenSession(id, { is: 'player', key, player }, this.#tellsEnd('play', key)));
  }

  left({ session }: Player, why: Reason): void {
    if (session !== undefined) this.#over(this.#players, session, why);
  }

  // Of publishers

  opened(seat: PublisherSeat): void {
    const { session: id } = seat.request;
    const tellsEnd = this.#tellsEnd('publish', seat.key);
    this.#publishers.set(id, new OpenSession(id, { is: 'publisher', seat }, tellsEnd));
  }

  refused({ request }: PublisherSeat): void {
    const session = this.#publishers.get(request.session);
    this.#publishers.delete(request.session);
    if (session) this.#tellEnd(session);
  }

  closed({ request }: PublisherSeat, why: Reason): void {
    this.#over(this.#publishers, request.session, why);
  }

  /** Who publishes a stream on this node, on air; null: nobody does. */
  publisher(key: StreamKey): SessionRow | null {
    for (const session of this.#publishers.values()) {
      if (session.key === key && session.state === 'live') return this.#rowOf(session);
    }
    return null;
  }

  /** Publishers that are here first; then players and who is over. Of both the newest first. */
  readonly list: NodeAnswers['sessions'] = ({ stream, id, kind, state, limit }) => {
    const isAsked = (session: { readonly id: string; readonly kind: string }, key: string) =>
      (id === undefined || session.id === id) &&
      (kind === undefined || session.kind === kind) &&
      (stream === undefined || key === stream);
    const openOf = (sessions: ReadonlyMap<string, OpenSession>) =>
      [...sessions.values()].filter((one) => one.state !== undefined && isAsked(one, one.key)).reverse();
    const publishers = state === 'ended' ? [] : openOf(this.#publishers);
    const others: (OpenSession | EndedSession)[] = state === 'ended' ? [] : openOf(this.#players);
    if (state !== 'open') others.push(...this.#ended.filter(({ row }) => isAsked(row, row.stream)).reverse());
    others.sort((a, b) => b.startedMs - a.startedMs);
    const all = [...publishers, ...others];
    return { total: all.length, rows: this.#rows(all.slice(0, limit)) };
  };

  /** Ends one that is here. */
  readonly kick: NodeAnswers['kick'] = ({ id }, { request }) => {
    const session = this.#find(id);
    if (session?.state === undefined) return { total: 0, rows: [] };
    const row = this.#rowOf(session);
    const { kind, stream, protocol, remote } = row;
    this.#kicks += 1;
    this.#needs.log.info({ stream, session: id, kind, protocol, remote, request }, 'session.kicked');
    session.end(KICKED);
    return { total: 1, rows: [row] };
  };

  get tables(): Table[] {
    return [{ table: 'sessions_ended', entries: this.#ended.length, limit: undefined }];
  }

  metrics(): MetricFamily[] {
    return [
      gauge('tideway_sessions', 'Publishers, those that stand by among them, and players.', [
        { labels: { kind: 'publisher' }, value: this.#publishers.size },
        { labels: { kind: 'player' }, value: this.#players.size },
      ]),
      counter('tideway_sessions_kicked_total', 'Sessions that an operator ended.', this.#kicks),
    ];
  }

  #look(): void {
    const nowMs = this.#needs.clock.now();
    for (const session of this.#publishers.values()) session.bytesPerS(nowMs);
    for (const session of this.#players.values()) session.bytesPerS(nowMs);
  }

  #find(id: string): OpenSession | undefined {
    return this.#publishers.get(id) ?? this.#players.get(id);
  }

  /** Made as they are read: those that end meanwhile are told as ended. */
  *#rows(sessions: readonly (OpenSession | EndedSession)[]): Generator<SessionRow> {
    for (const session of sessions) yield 'row' in session ? session.row : this.#rowOf(session);
  }

  #rowOf(session: OpenSession): SessionRow {
    const { clock, node } = this.#needs;
    const nowMs = clock.now();
    const { id, kind, key: stream, protocol, remote, counted } = session;
    const { bytes, backlogBytes, dropped, skips } = counted;
    return {
      id,
      node,
      kind,
      stream,
      protocol,
      remote,
      since: session.since(clock),
      durationMs: Math.round(nowMs - session.startedMs),
      state: session.state ?? 'ended',
      bytes,
      bytesPerS: Math.round(session.bytesPerS(nowMs)),
      backlogBytes,
      dropped,
      skips,
      ended: null,
    };
  }

  #over(sessions: Map<string, OpenSession>, id: string, { code, message }: Reason): void {
    const session = sessions.get(id);
    if (!session) return;
    sessions.delete(id);
    this.#tellEnd(session);
    const row: SessionRow = {
      ...this.#rowOf(session),
      ...{ state: 'ended', bytesPerS: 0, backlogBytes: 0, ended: { code, message } },
    };
    this.#ended.push({ row, startedMs: session.startedMs });
    if (this.#ended.length > MAX_ENDED) this.#ended.shift();
  }

  #tellsEnd(action: Action, key: StreamKey): boolean {
    return this.#needs.tellsEnd?.(action, key) ?? false;
  }

  #tellEnd({ id: session, kind, key, protocol, remote, tellsEnd }: OpenSession): void {
    if (!tellsEnd) return;
    this.#needs.ended?.(kind === 'publisher' ? 'publish' : 'play', { key, protocol, remote, session });
  }
}
