// The state of the cluster over the API: which question each operation is. What is answered comes from a narrow interface.
import type { z } from 'zod';
import { TidewayError } from '../base/errors.ts';
import { parseStreamKey, type StreamKey } from '../base/stream-key.ts';
import type { Handlers, OperationId, Operations } from './api-operations.ts';
import type { AlarmsAnswer, EventsAnswer } from './forms/alarms.ts';
import type { Told } from './forms/common.ts';
import type { DecisionsAnswer } from './forms/decisions.ts';
import type { LinksAnswer, NodesAnswer, StatusAnswer } from './forms/nodes.ts';
import type { SessionRow, SessionsAnswer } from './forms/sessions.ts';
import type { StreamsAnswer, TreeAnswer } from './forms/streams.ts';
import type { TrafficAnswer } from './forms/traffic.ts';

type QueryOf<K extends OperationId> = Operations[K] extends { query: infer F extends z.ZodObject }
  ? Told<z.output<F>>
  : never;

export type StreamsQuery = QueryOf<'streams'>;
export type SessionsQuery = QueryOf<'sessions'>;
export type DecisionsQuery = QueryOf<'decisions'>;
export type AlarmsQuery = QueryOf<'alarms'>;
export type EventsQuery = Omit<QueryOf<'events'>, 'topics'>;
export type TrafficQuery = QueryOf<'traffic'>;

/** What is known of nodes and streams. `request` names the API's request in logs. */
export interface StateSource {
  status(): Told<StatusAnswer>;
  nodes(): Told<NodesAnswer>;
  streams(query: StreamsQuery, request: string): Promise<Told<StreamsAnswer>>;
  /** Undefined: nobody has it. */
  stream(key: StreamKey, request: string): Promise<Told<TreeAnswer> | undefined>;
}

/** What else nodes know. */
export interface ListSource {
  links(query: { readonly node?: string | undefined }, request: string): Promise<Told<LinksAnswer>>;
  sessions(query: SessionsQuery, request: string): Promise<Told<SessionsAnswer>>;
  session(id: string, request: string): Promise<FoundSession>;
  /** Ends a session; as it was. */
  kick(id: string, request: string): Promise<FoundSession>;
  decisions(query: DecisionsQuery, request: string): Promise<Told<DecisionsAnswer>>;
  alarms(query: AlarmsQuery, request: string): Promise<Told<AlarmsAnswer>>;
  events(query: EventsQuery, request: string): Promise<Told<EventsAnswer>>;
  traffic(query: TrafficQuery, request: string): Promise<Told<TrafficAnswer>>;
}

export interface ClusterNeeds {
  readonly state: StateSource;
  readonly lists: ListSource;
  /** Takes who wants events live. */
  readonly listen: Handlers['events'];
}

export interface FoundSession {
  /** Undefined: no node that answered has it. */
  readonly session: Told<SessionRow> | undefined;
  /** Nodes that did not answer. */
  readonly stale: readonly string[];
}

type StateHandlers = Omit<Handlers, 'reload' | `${string}Drain` | `${string}Preload` | `route${string}`>;

export function clusterHandlers({ state, lists, listen }: ClusterNeeds): StateHandlers {
  const ok = <T>(document: T) => ({ status: 200, document }) as const;
  return {
    status: () => ok(state.status()),
    nodes: () => ok(state.nodes()),
    links: async ({ query, id }) => ok(await lists.links(query, id)),
    streams: async ({ query, id }) => ok(await state.streams(query, id)),
    stream: async ({ path, id }) => {
      const key = parseStreamKey(path.app, path.name);
      const found = await state.stream(key, id);
      if (found) return ok(found);
      throw new TidewayError('api.no-stream', `nobody has the stream ${key}`);
    },
    sessions: async ({ query, id }) => ok(await lists.sessions(query, id)),
    session: async ({ path, id }) => ok(foundIn(await lists.session(path.id, id))),
    kick: async ({ path, id }) => ok(foundIn(await lists.kick(path.id, id))),
    decisions: async ({ query, id }) => ok(await lists.decisions(query, id)),
    alarms: async ({ query, id }) => ok(await lists.alarms(query, id)),
    events: async (asked) => {
      if (wantsEventStream(asked.request.headers.accept)) return listen(asked);
      return ok(await lists.events(asked.query, asked.id));
    },
    traffic: async ({ query, id }) => ok(await lists.traffic(query, id)),
  };
}

/** @throws TidewayError `api.no-session` */
function foundIn({ session, stale }: FoundSession): Told<SessionRow> {
  if (session) return session;
  const silent = stale.length === 0 ? '' : `; these did not answer: ${stale.slice(0, 8).join(', ')}`;
  throw new TidewayError('api.no-session', `no node has such a session${silent}`);
}

function wantsEventStream(accept = ''): boolean {
  return accept.split(',').some((type) => type.trim().toLowerCase().startsWith('text/event-stream'));
}
