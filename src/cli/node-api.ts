// Asks a running node through its JSON API, and says in one line what went wrong. What answers may be anything: an
// answer counts once it has the form of one.
import type { z } from 'zod';
import { TidewayError } from '../base/errors.ts';
import type { StreamKey } from '../base/stream-key.ts';
import { type AlarmsAnswer, alarmsAnswer, type EventsAnswer, eventsAnswer } from '../http/forms/alarms.ts';
import { type DecisionsAnswer, decisionsAnswer } from '../http/forms/decisions.ts';
import { type DrainAnswer, drainAnswer } from '../http/forms/drain.ts';
import {
  type LinksAnswer,
  linksAnswer,
  type NodesAnswer,
  nodesAnswer,
  type StatusAnswer,
  statusAnswer,
} from '../http/forms/nodes.ts';
import { problem } from '../http/forms/problem.ts';
import { type SessionRow, type SessionsAnswer, sessionRow, sessionsAnswer } from '../http/forms/sessions.ts';
import { type StreamsAnswer, streamsAnswer, type TreeAnswer, treeAnswer } from '../http/forms/streams.ts';
import { type TrafficAnswer, trafficAnswer } from '../http/forms/traffic.ts';
import type { DrainOrder, Query } from './invocation.ts';

export interface NodeApiOptions {
  /** Of a node's HTTP port; a path in front of the API's own is kept. */
  readonly url: string;
  readonly token: string | undefined;
}

const WITHIN_MS = 10_000;

/** @throws TidewayError `cli.unreachable`, `cli.refused`, `cli.not-tideway` */
export function askStatus(options: NodeApiOptions): Promise<StatusAnswer> {
  return ask('api/v1/status', options, statusAnswer);
}

/** @throws TidewayError as `askStatus` does */
export function askNodes(options: NodeApiOptions): Promise<NodesAnswer> {
  return ask('api/v1/nodes', options, nodesAnswer);
}

/** @throws TidewayError as `askStatus` does */
export function askStreams(options: NodeApiOptions, query: Query): Promise<StreamsAnswer> {
  return ask(`api/v1/streams${textOf(query)}`, options, streamsAnswer);
}

/**
 * One stream with its tree.
 * @throws TidewayError as `askStatus` does
 */
export function askStream(options: NodeApiOptions, key: StreamKey): Promise<TreeAnswer> {
  return ask(`api/v1/streams/${key}`, options, treeAnswer);
}

/** @throws TidewayError as `askStatus` does */
export function askSessions(options: NodeApiOptions, query: Query): Promise<SessionsAnswer> {
  return ask(`api/v1/sessions${textOf(query)}`, options, sessionsAnswer);
}

/**
 * Ends a session; as it was.
 * @throws TidewayError as `askStatus` does
 */
export function kickSession(options: NodeApiOptions, id: string): Promise<SessionRow> {
  return ask(`api/v1/sessions/${encodeURIComponent(id)}`, options, sessionRow, { method: 'DELETE' });
}

/** @throws TidewayError as `askStatus` does */
export function askLinks(options: NodeApiOptions, query: Query): Promise<LinksAnswer> {
  return ask(`api/v1/links${textOf(query)}`, options, linksAnswer);
}

/** @throws TidewayError as `askStatus` does */
export function askDecisions(options: NodeApiOptions, query: Query): Promise<DecisionsAnswer> {
  return ask(`api/v1/decisions${textOf(query)}`, options, decisionsAnswer);
}

/** @throws TidewayError as `askStatus` does */
export function askAlarms(options: NodeApiOptions, query: Query): Promise<AlarmsAnswer> {
  return ask(`api/v1/alarms${textOf(query)}`, options, alarmsAnswer);
}

/** @throws TidewayError as `askStatus` does */
export function askEvents(options: NodeApiOptions, query: Query): Promise<EventsAnswer> {
  return ask(`api/v1/events${textOf(query)}`, options, eventsAnswer);
}

/** @throws TidewayError as `askStatus` does */
export function askTraffic(options: NodeApiOptions, query: Query): Promise<TrafficAnswer> {
  return ask(`api/v1/traffic${textOf(query)}`, options, trafficAnswer);
}

/**
 * Begins a drain, undoes it, or looks how far it is.
 * @throws TidewayError as `askStatus` does
 */
export function askDrain(options: NodeApiOptions, order: DrainOrder | { is: 'look' }): Promise<DrainAnswer> {
  return ask('api/v1/node/drain', options, drainAnswer, requestOf(order));
}

function requestOf(order: DrainOrder | { is: 'look' }): NodeRequest {
  switch (order.is) {
    case 'look':
      return GET;
    case 'undo':
      return { method: 'DELETE' };
    case 'begin': {
      const { deadlineSeconds } = order;
      return { method: 'POST', body: deadlineSeconds === undefined ? {} : { deadlineSeconds } };
    }
  }
}

/** With its question mark; '' for nothing. */
function textOf(query: Query): string {
  const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}

/** What is sent beside the path. */
interface NodeRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Sent as JSON. */
  readonly body?: unknown;
}

const GET: NodeRequest = { method: 'GET' };

async function ask<T>(
  path: string,
  node: NodeApiOptions,
  form: z.ZodType<T>,
  { method, body }: NodeRequest = GET,
): Promise<T> {
  const headers = {
    ...headersOf(node),
    ...(body !== undefined && { 'Content-Type': 'application/json' }),
  };
  const content = body === undefined ? null : JSON.stringify(body);
  const answered = await fetchText(addressOf(node, path), { method, headers, body: content });
  if (answered.status !== 200) throw refusalOf(answered.status, answered.text, node.url);
  const read = form.safeParse(parseJson(answered.text));
  if (!read.success) throw notTideway(node.url);
  return read.data;
}

/** Of a path of the API. */
export function addressOf({ url }: NodeApiOptions, path: string): URL {
  const base = new URL(url);
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  return new URL(path, base);
}

export function headersOf({ token }: NodeApiOptions): Record<string, string> {
  return token === undefined ? {} : { Authorization: `Bearer ${token}` };
}

async function fetchText(
  url: URL,
  request: { method: string; headers: Record<string, string>; body: string | null },
): Promise<{ readonly status: number; readonly text: string }> {
  try {
    // A token goes to who was named, and not on to where that points.
    const answer = await fetch(url, {
      ...request,
      redirect: 'manual',
      signal: AbortSignal.timeout(WITHIN_MS),
    });
    return { status: answer.status, text: await answer.text() };
  } catch (cause) {
    throw unreachable(url, cause);
  }
}

/** @param cause what `fetch` threw, or reading what it answered */
export function unreachable(url: URL, cause: unknown): TidewayError {
  return new TidewayError('cli.unreachable', `${url.origin}: ${failureText(cause)}`, {}, { cause });
}

function failureText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no answer within ${WITHIN_MS} ms`;
  const cause: unknown = error.cause;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ECONNREFUSED') return 'connection refused: does a node run there? see --url';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'no such host; see --url';
  return cause instanceof Error ? cause.message : error.message;
}

/** @param body what came with a status other than 200 */
export function refusalOf(status: number, body: string, url: string): TidewayError {
  const told = problem.safeParse(parseJson(body));
  if (!told.success || told.data.code === 'http.not-found') return notTideway(url);
  const { code, detail } = told.data;
  const hint = code === 'api.token' ? '; give it with --token or TIDEWAY_API_TOKEN' : '';
  return new TidewayError('cli.refused', `${url} refused with ${status} ${code}: ${detail}${hint}`);
}

function notTideway(url: string): TidewayError {
  return new TidewayError(
    'cli.not-tideway',
    `${url}: what answers there is no Tideway with this API; --url wants the HTTP port of a node`,
  );
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
