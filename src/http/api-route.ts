// An operation of the JSON API as it is declared, once, and how a request to it is answered: matched, let in or not, read by
// its forms, answered as JSON; what changes something leaves a line of who did it. What is answered comes from a function; which operations there are is api-operations.ts's.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { TidewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { addressOfRequest, isProxied, remoteOfRequest } from '../base/marked-request.ts';
import type { Role } from '../base/role.ts';
import { answerJson } from './answer.ts';
import type { ApiAccess, ApiRequest, Caller } from './api-access.ts';
import { readQuery } from './api-query.ts';
import type { Told } from './forms/common.ts';
import { readJson } from './json-body.ts';
import { requestIdOf } from './request-id.ts';
import type { Route } from './route.ts';

export interface Declared {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** With a name in braces for each part that varies: "/api/v1/sessions/{id}". */
  readonly path: `/api/v1/${string}`;
  readonly tag: string;
  /** What it takes to ask for it. */
  readonly role: Role;
  readonly summary: string;
  readonly description?: string;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodObject;
  /** By status; null: an answer without a document. */
  readonly answers: Readonly<Record<number, z.ZodType | null>>;
  /** With `Accept: text/event-stream` it is told for as long as it is listened to. */
  readonly isLive?: true;
  /** Codes of its own refusals; those of all operations are COMMON_ERRORS. */
  readonly errors: readonly string[];
}

/** Refusals that each operation may have. */
export const COMMON_ERRORS = [
  'api.loopback-only',
  'api.query',
  'api.role',
  'api.token',
  'api.too-many-requests',
  'api.too-many-tries',
  'http.internal',
  'node.stopping',
  'route.repeated',
] as const;
/** Of those that take a body. */
export const BODY_ERRORS = [
  'api.body',
  'http.bad-request',
  'http.body-timeout',
  'http.body-too-large',
  'http.media-type',
] as const;

type ParameterOf<P extends string> = P extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParameterOf<Rest>
  : never;

/** A request that was let in, and read. */
export interface Asked<D extends Declared> {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Names the request in logs, of other nodes too. */
  readonly id: string;
  readonly caller: Caller;
  /** Would it be let in now? For answers that go on while the configuration is read again. */
  readonly isStillAdmitted: () => boolean;
  /** What varies in the path, decoded. */
  readonly path: Readonly<Record<ParameterOf<D['path']>, string>>;
  /** As it came. */
  readonly parameters: URLSearchParams;
  readonly query: D extends { query: infer F extends z.ZodObject } ? Told<z.output<F>> : unknown;
  readonly body: D extends { body: infer F extends z.ZodObject } ? Told<z.output<F>> : unknown;
}

/** A document of the form that is declared for its status. */
export type Reply<D extends Declared> =
  | {
      [S in keyof D['answers'] & number]: {
        readonly status: S;
        readonly document: D['answers'][S] extends z.ZodType ? Told<z.output<D['answers'][S]>> : null;
      };
    }[keyof D['answers'] & number]
  /** The handler has taken the response, and goes on writing to it. */
  | (D extends { isLive: true } ? 'taken' : never);

export type Handler<D extends Declared> = (asked: Asked<D>) => Reply<D> | Promise<Reply<D>>;

export interface ApiRouteNeeds {
  readonly access: Pick<ApiAccess, 'identify' | 'check' | 'stillAdmits'>;
  readonly clock: Clock;
  readonly log: Log;
}

const NO_QUERY = z.strictObject({});

/** The route of an operation. */
export function apiRoute<D extends Declared>(
  declared: D,
  handle: Handler<D>,
  { access, clock, log }: ApiRouteNeeds,
): Route {
  const { method, path, role, query: queryForm = NO_QUERY, body: bodyForm } = declared;
  const read = pathReader(path);
  return {
    methods: method === 'GET' ? ['GET', 'HEAD'] : [method],
    isPrivate: true,
    isVital: true,
    matches: (asked) => read(asked) !== undefined,
    handle: async (request, response, url) => {
      const asking = readAsking(request);
      const caller = identify(access, asking, response);
      if (method !== 'GET') audit(log, caller, { request, response, path: url.pathname });
      access.check(caller, role);
      const id = requestIdOf(request);
      const query = readQuery(url.searchParams, queryForm);
      const body = bodyForm ? await readJson({ request, response }, bodyForm, clock) : {};
      const asked = {
        request,
        response,
        id,
        caller,
        isStillAdmitted: () => access.stillAdmits(asking, role),
        path: read(url.pathname),
        parameters: url.searchParams,
        query,
        body,
      };
      const reply = await handle(asked as Asked<D>);
      if (reply === 'taken') return;
      answer(response, reply);
    },
  };
}

function readAsking(request: IncomingMessage): ApiRequest {
  const { headers } = request;
  return { remoteAddress: addressOfRequest(request), isProxied: isProxied(request), headers };
}

function identify(access: ApiRouteNeeds['access'], asking: ApiRequest, response: ServerResponse): Caller {
  try {
    return access.identify(asking);
  } catch (error) {
    // RFC 9110 §15.5.2: a 401 says how to come in.
    if (error instanceof TidewayError && error.code === 'api.token') {
      response.setHeader('WWW-Authenticate', 'Bearer realm="tideway"');
    }
    throw error;
  }
}

/** Once it is answered, or its socket is gone: who asked for what, and what became of it. */
function audit(
  log: Log,
  { name: who, role }: Caller,
  of: { readonly request: IncomingMessage; readonly response: ServerResponse; readonly path: string },
): void {
  const { request, response, path } = of;
  const said = { who, role, method: request.method, path, request: requestIdOf(request) };
  const remote = remoteOfRequest(request);
  response.once('close', () => {
    const status = response.headersSent ? response.statusCode : 0;
    log.info({ ...said, status, remote }, 'api.audit');
  });
}

function answer(
  response: ServerResponse,
  reply: { readonly status: number; readonly document: unknown },
): void {
  if (reply.document !== null) {
    answerJson(response, reply.status, reply.document);
    return;
  }
  response.writeHead(reply.status, { 'Cache-Control': 'no-store' });
  response.end();
}

/** Reads what varies of a path; undefined: it is another path. */
function pathReader(template: string): (path: string) => Readonly<Record<string, string>> | undefined {
  const names = [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');
  if (names.length === 0) return (path) => (path === template ? {} : undefined);
  const pattern = new RegExp(`^${template.replace(/\{\w+\}/g, '([^/]*)')}$`);
  return (path) => {
    const [, ...values] = pattern.exec(path) ?? [];
    if (values.length === 0) return undefined;
    return Object.fromEntries(names.map((name, at) => [name, decodeURIComponent(values[at] ?? '')]));
  };
}
