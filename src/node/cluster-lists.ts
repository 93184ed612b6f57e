// What nodes know of sessions, links, decisions, alarms, events and traffic, asked of those that are meant and put together
// in the order that each list has. Many askers share one look.
import type { Clock } from '../base/clock.ts';
import { compare } from '../base/compare.ts';
import type { Table } from '../base/table.ts';
import type {
  AlarmsQuery,
  DecisionsQuery,
  EventsQuery,
  FoundSession,
  ListSource,
  SessionsQuery,
  TrafficQuery,
} from '../http/cluster-api.ts';
import type { AlarmRow, AlarmsAnswer, EventsAnswer } from '../http/forms/alarms.ts';
import { type Envelope, sessionId, type Told } from '../http/forms/common.ts';
import type { DecisionsAnswer } from '../http/forms/decisions.ts';
import type { LinksAnswer } from '../http/forms/nodes.ts';
import { MAX_ROWS, type QuestionArgs, type QuestionKind } from '../http/forms/questions.ts';
import type { SessionsAnswer } from '../http/forms/sessions.ts';
import type { TrafficAnswer } from '../http/forms/traffic.ts';
import type { AskNodes, NodesTold } from './cluster-ask.ts';
import { SharedLooks } from './shared-looks.ts';
import { trafficRows } from './traffic-rows.ts';

export interface ListNeeds {
  readonly clock: Clock;
  /** The id of this node. */
  readonly node: string;
  readonly ask: AskNodes;
  readonly envelope: () => Envelope;
  /** How far the window of traffic goes back. */
  readonly trafficWindowMs: number;
}

const MAX_LOOKS = 64;
const NOBODY: FoundSession = { session: undefined, stale: [] };

export class ClusterLists implements ListSource {
  readonly #needs: ListNeeds;
  readonly #looks: SharedLooks<unknown>;

  constructor(needs: ListNeeds) {
    this.#needs = needs;
    this.#looks = new SharedLooks(needs.clock, MAX_LOOKS);
  }

  get table(): Table {
    return { table: 'list_answers', ...this.#looks.kept };
  }

  async links({ node }: { readonly node?: string | undefined }, request: string): Promise<Told<LinksAnswer>> {
    const { rows, stale } = await this.#ask(node, 'links', {}, request);
    const links = [...rows].sort((a, b) => compare(a.node, b.node) || compare(a.peer, b.peer));
    return { ...this.#needs.envelope(), stale, links };
  }

  async sessions(query: SessionsQuery, request: string): Promise<Told<SessionsAnswer>> {
    const { stream, node, kind, state, limit } = query;
    const args = { ...(stream && { stream }), ...(kind && { kind }), ...(state && { state }), limit };
    const { rows, total, stale } = await this.#ask(node, 'sessions', args, request);
    const sessions = [...rows].sort((a, b) => compare(b.since, a.since) || compare(a.id, b.id));
    return this.#page({ total, limit, stale }, { sessions: sessions.slice(0, limit) });
  }

  async session(id: string, request: string): Promise<FoundSession> {
    if (!isId(id)) return NOBODY;
    return found(await this.#ask(undefined, 'sessions', { id, limit: 1 }, request));
  }

  /** Never shared: each order is carried out. */
  async kick(id: string, request: string): Promise<FoundSession> {
    if (!isId(id)) return NOBODY;
    return found(await this.#needs.ask.all('kick', { id }, request));
  }

  async decisions(query: DecisionsQuery, request: string): Promise<Told<DecisionsAnswer>> {
    const { stream, scope, limit } = query;
    const args = { ...(stream && { stream }), limit };
    const of = scope === 'node' ? this.#needs.node : undefined;
    const { rows, total, stale } = await this.#ask(of, 'decisions', args, request);
    const decisions = [...rows].sort((a, b) => compare(b.time, a.time) || b.id - a.id);
    return this.#page({ total, limit, stale }, { decisions: decisions.slice(0, limit) });
  }

  async alarms({ stream, node, limit }: AlarmsQuery, request: string): Promise<Told<AlarmsAnswer>> {
    const args = { ...(stream && { stream }), limit };
    const { rows, total, stale } = await this.#ask(node, 'alarms', args, request);
    return this.#page({ total, limit, stale }, { alarms: [...rows].sort(byUrgency).slice(0, limit) });
  }

  async events({ stream, node, limit }: EventsQuery, request: string): Promise<Told<EventsAnswer>> {
    const args = { ...(stream && { stream }), limit };
    const { rows, total, stale } = await this.#ask(node, 'events', args, request);
    const events = [...rows].sort((a, b) => compare(b.time, a.time) || b.id - a.id);
    return this.#page({ total, limit, stale }, { events: events.slice(0, limit) });
  }

  async traffic({ by, stream, node, limit }: TrafficQuery, request: string): Promise<Told<TrafficAnswer>> {
    const args = { ...(stream && { stream }), limit: MAX_ROWS };
    const { rows, stale } = await this.#ask(node, 'traffic', args, request);
    const sums = trafficRows(rows, by);
    const head = { total: sums.length, limit, stale };
    const windowMs = this.#needs.trafficWindowMs;
    return this.#page(head, { windowMs, by, rows: sums.slice(0, limit) });
  }

  /** @param node the one that is meant; undefined: all */
  #ask<K extends QuestionKind>(
    node: string | undefined,
    kind: K,
    args: QuestionArgs<K>,
    request: string,
  ): Promise<NodesTold<K>> {
    const { ask } = this.#needs;
    const name = JSON.stringify([kind, node, args]);
    const make = () =>
      node === undefined ? ask.all(kind, args, request) : ask.some([node], kind, args, request);
    return this.#looks.get(name, make) as Promise<NodesTold<K>>;
  }

  #page<T extends object>(
    { total, limit, stale }: Pick<NodesTold<QuestionKind>, 'total' | 'stale'> & { readonly limit: number },
    rows: T,
  ) {
    return { ...this.#needs.envelope(), stale, total, truncated: total > limit, ...rows };
  }
}

/** What no node could have made, none is asked for: they would refuse to answer, and be told as silent. */
function isId(id: string): boolean {
  return sessionId.safeParse(id).success;
}

function found({ rows, stale }: NodesTold<'sessions' | 'kick'>): FoundSession {
  return { session: rows[0], stale: stale.map(({ node }) => node) };
}

/** Those that last first, each newest first. */
function byUrgency(a: Told<AlarmRow>, b: Told<AlarmRow>): number {
  if ((a.until === null) !== (b.until === null)) return a.until === null ? -1 : 1;
  return compare(b.until ?? b.since, a.until ?? a.since) || compare(a.id, b.id);
}
