// What the commands that look at a cluster ask a node: paths and parameters of its API, and the forms of its answers.
import type { StreamKey } from '../base/stream-key.ts';
import { type AlarmsAnswer, alarmsAnswer, type EventsAnswer, eventsAnswer } from '../http/forms/alarms.ts';
import { type DecisionsAnswer, decisionsAnswer } from '../http/forms/decisions.ts';
import {
  type LinksAnswer,
  linksAnswer,
  type NodesAnswer,
  nodesAnswer,
  type StatusAnswer,
  statusAnswer,
} from '../http/forms/nodes.ts';
import { type SessionRow, type SessionsAnswer, sessionRow, sessionsAnswer } from '../http/forms/sessions.ts';
import { type StreamsAnswer, streamsAnswer, type TreeAnswer, treeAnswer } from '../http/forms/streams.ts';
import { type TrafficAnswer, trafficAnswer } from '../http/forms/traffic.ts';
import type { Query } from './invocation.ts';
import { ask, type NodeApiOptions } from './node-api.ts';

/** @throws TidewayError `cli.unreachable`, `cli.refused`, `cli.not-tideway`, as all of these do */
export function askStatus(node: NodeApiOptions): Promise<StatusAnswer> {
  return ask('api/v1/status', node, statusAnswer);
}

export function askNodes(node: NodeApiOptions): Promise<NodesAnswer> {
  return ask('api/v1/nodes', node, nodesAnswer);
}

export function askLinks(node: NodeApiOptions, query: Query = {}): Promise<LinksAnswer> {
  return ask(withQuery('api/v1/links', query), node, linksAnswer);
}

export function askStreams(node: NodeApiOptions, query: Query = {}): Promise<StreamsAnswer> {
  return ask(withQuery('api/v1/streams', query), node, streamsAnswer);
}

export function askStream(node: NodeApiOptions, key: StreamKey): Promise<TreeAnswer> {
  return ask(`api/v1/streams/${key}`, node, treeAnswer);
}

export function askSessions(node: NodeApiOptions, query: Query = {}): Promise<SessionsAnswer> {
  return ask(withQuery('api/v1/sessions', query), node, sessionsAnswer);
}

/** Ends a session; the answer is the session as it was. */
export function kickSession(node: NodeApiOptions, id: string): Promise<SessionRow> {
  return ask(`api/v1/sessions/${encodeURIComponent(id)}`, node, sessionRow, { method: 'DELETE' });
}

export function askAlarms(node: NodeApiOptions, query: Query = {}): Promise<AlarmsAnswer> {
  return ask(withQuery('api/v1/alarms', query), node, alarmsAnswer);
}

export function askEvents(node: NodeApiOptions, query: Query = {}): Promise<EventsAnswer> {
  return ask(withQuery('api/v1/events', query), node, eventsAnswer);
}

export function askTraffic(node: NodeApiOptions, query: Query = {}): Promise<TrafficAnswer> {
  return ask(withQuery('api/v1/traffic', query), node, trafficAnswer);
}

export function askDecisions(node: NodeApiOptions, query: Query = {}): Promise<DecisionsAnswer> {
  return ask(withQuery('api/v1/decisions', query), node, decisionsAnswer);
}

function withQuery(path: string, query: Query): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) given.set(name, value);
  return given.size === 0 ? path : `${path}?${given}`;
}
