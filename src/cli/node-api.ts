// Asks a running node through its JSON API, and says in one line what went wrong. What answers may be anything: an
// answer counts once it has the form of one.
import { z } from 'zod';
import { TidewayError } from '../base/errors.ts';
import type { NodesAnswer, StreamsAnswer } from '../http/cluster-api.ts';
import type { DecisionsAnswer } from '../http/decisions-api.ts';
import type { DrainAnswer } from '../http/node-control-api.ts';
import type { DrainOrder } from './invocation.ts';

export interface NodeApiOptions {
  /** Of a node's HTTP port; a path in front of the API's own is kept. */
  readonly url: string;
  readonly token: string | undefined;
}

const WITHIN_MS = 10_000;

const text = z.string();
const number = z.number();
const envelope = { node: text, registry: z.enum(['up', 'away']), asOf: z.iso.datetime() };
const state = z.enum(['live', 'held']);

const nodesAnswer = z.object({
  ...envelope,
  nodes: z.array(
    z.object({
      node: text,
      boot: text,
      host: text,
      version: text,
      region: text,
      zone: text,
      tags: z.array(text),
      draining: z.boolean(),
      mesh: z.array(text),
      rtmp: text,
      http: text,
      rtmpInternal: text,
      httpInternal: text,
      load: z.object({
        cpu: number,
        memory: number,
        loopBusy: number,
        loopLagMs: number,
        sentBytesPerS: number,
        receivedBytesPerS: number,
        capacityBytesPerS: number,
        players: number,
        publishers: number,
        streams: number,
      }),
      rttMs: z.record(text, number),
      leaseMs: z.nullable(number),
      self: z.boolean(),
      link: z.nullable(
        z.object({
          rttMs: z.nullable(number),
          rttDevMs: z.nullable(number),
          offsetMs: z.nullable(number),
          lossShare: z.nullable(number),
          receivedBytesPerS: z.nullable(number),
          sentBytesPerS: z.nullable(number),
          dialledBy: text,
        }),
      ),
    }),
  ),
});

const streamsAnswer = z.object({
  ...envelope,
  limit: number,
  truncated: z.boolean(),
  streams: z.array(
    z.object({
      key: text,
      origin: z.nullable(
        z.object({
          node: text,
          epoch: number,
          state,
          reason: z.nullable(z.enum(['publish', 'failover'])),
          since: z.nullable(z.iso.datetime()),
        }),
      ),
      replicas: z.array(z.object({ node: text, hops: number, upstream: text, epoch: number })),
      backup: z.nullable(z.object({ node: text })),
      here: z.nullable(
        z.object({
          role: z.enum(['origin', 'replica', 'backup']),
          state,
          epoch: number,
          hops: z.nullable(number),
          upstream: z.nullable(text),
          path: z.array(text),
          players: number,
          children: number,
          standby: z.nullable(text),
        }),
      ),
    }),
  ),
});

const decisionsAnswer = z.object({
  node: text,
  asOf: z.iso.datetime(),
  decisions: z.array(
    z.object({
      id: number,
      time: z.iso.datetime(),
      kind: z.enum(['play', 'publish', 'redirect', 'preload', 'reconnect', 'upstream']),
      stream: z.nullable(text),
      place: z.nullable(z.object({ region: text, zone: text })),
      node: z.nullable(text),
      why: text,
      considered: z.array(
        z.object({
          node: text,
          region: text,
          score: number,
          parts: z.object({
            cpu: number,
            memory: number,
            bandwidth: number,
            place: number,
            link: number,
            price: number,
            stream: number,
          }),
          promised: z.object({ players: number, bytesPerS: number }),
        }),
      ),
      filtered: z.array(
        z.object({
          reason: z.enum(['draining', 'version', 'door', 'cpu', 'memory', 'bandwidth', 'loop', 'players']),
          count: number,
          nodes: z.array(text),
        }),
      ),
      parents: z.array(
        z.object({
          node: text,
          total: number,
          parts: z.object({
            rtt: number,
            hops: number,
            loss: number,
            busy: number,
            price: number,
            draining: number,
          }),
        }),
      ),
    }),
  ),
});

const drainAnswer = z.object({
  node: text,
  state: z.enum(['serving', 'draining', 'drained']),
  since: z.nullable(z.iso.datetime()),
  deadlineMs: z.nullable(number),
  players: number,
  publishers: number,
  children: number,
});

const problem = z.object({ code: text, detail: text });

/** @throws TidewayError `cli.unreachable`, `cli.refused`, `cli.not-tideway` */
export function askNodes(options: NodeApiOptions): Promise<NodesAnswer> {
  return ask('api/v1/nodes', options, nodesAnswer);
}

/** @throws TidewayError as `askNodes` does */
export function askStreams(
  options: NodeApiOptions & { readonly limit: string | undefined },
): Promise<StreamsAnswer> {
  const query = options.limit === undefined ? '' : `?limit=${encodeURIComponent(options.limit)}`;
  return ask(`api/v1/streams${query}`, options, streamsAnswer);
}

/** @throws TidewayError as `askNodes` does */
export function askDecisions({
  stream,
  limit,
  ...options
}: NodeApiOptions & {
  readonly stream: string;
  readonly limit: string | undefined;
}): Promise<DecisionsAnswer> {
  const query = new URLSearchParams({ stream, ...(limit !== undefined && { limit }) });
  return ask(`api/v1/decisions?${query}`, options, decisionsAnswer);
}

/**
 * Begins a drain, undoes it, or looks how far it is.
 * @throws TidewayError as `askNodes` does
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

/** What is sent beside the path. */
interface NodeRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Sent as JSON. */
  readonly body?: unknown;
}

const GET: NodeRequest = { method: 'GET' };

/** @throws TidewayError as `askNodes` does */
export async function ask<T>(
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
