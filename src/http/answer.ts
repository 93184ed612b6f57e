// Answers of the HTTP server that are not media: JSON, and refusals that say why. One table turns a reason into a
// status; a code that is not in it is something this node can't do now.
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { TidewayError, WireError } from '../base/errors.ts';
import type { ProblemDocument } from './forms/problem.ts';
import { REQUEST_ID_HEADER, requestIdOf } from './request-id.ts';

const STATUS: Readonly<Record<string, number>> = {
  'http.bad-request': 400,
  'http.bad-url': 400,
  'http.not-found': 404,
  'http.method-not-allowed': 405,
  'http.headers-too-large': 431,
  'http.timeout': 408,
  'http.internal': 500,
  'stream-key.invalid': 400,
  'stream-key.reserved': 400,
  'route.network': 400,
  'route.place': 400,
  'route.protocol': 400,
  'route.repeated': 400,
  'route.session': 400,
  'route.stream': 400,
  'http.body-timeout': 408,
  'http.body-too-large': 413,
  'http.media-type': 415,
  'api.body': 400,
  'api.limit': 400,
  'api.loopback-only': 403,
  'api.no-session': 404,
  'api.no-stream': 404,
  'api.query': 400,
  'api.role': 403,
  'api.token': 401,
  'api.too-many-of-caller': 429,
  'api.too-many-requests': 429,
  'api.too-many-tries': 429,
  'http.too-many-from-address': 429,
  'limits.connection-rate': 429,
  'limits.connection-rate-of-address': 429,
  'config.invalid': 422,
  'config.syntax': 422,
  'config.unreadable': 422,
  'auth.address': 403,
  'auth.audience': 401,
  'auth.closed': 403,
  'auth.early': 401,
  'auth.expired': 401,
  'auth.key': 422,
  'auth.malformed': 401,
  'auth.missing': 401,
  'auth.not-granted': 403,
  'auth.signature': 401,
  'auth.token': 401,
  'auth.too-far': 401,
  'auth.too-many-from-address': 429,
  'auth.unknown-key': 401,
  'auth.webhook-denied': 403,
  'play.not-found': 404,
  'preload.alone': 409,
  'preload.none': 404,
  'preload.unknown-node': 400,
  'preload.unknown-region': 400,
  'preload.where': 400,
  'publish.denied': 403,
  'publish.taken': 409,
  'publish.taken-over': 409,
  'publish.idle': 408,
  'publish.too-fast': 429,
};
const UNAVAILABLE = 503;
/** When who is refused may ask again, s. */
const RETRY_AFTER_S: Readonly<Record<string, number>> = {
  'api.too-many-listeners': 5,
  'api.too-many-of-caller': 5,
  'api.too-many-requests': 1,
  // A try comes back so often (api-access.ts).
  'api.too-many-tries': 10,
  'http.too-many-connections': 5,
  'http.too-many-from-address': 5,
  'limits.connection-rate': 1,
  'limits.connection-rate-of-address': 1,
  'limits.files': 5,
  'play.too-many-of-stream': 5,
  'auth.too-many-from-address': 1,
  'auth.webhook-failed': 5,
  'route.no-node': 2,
  'play.too-many-players': 5,
  // Who comes through a balancer finds another node by then.
  'node.draining': 5,
  'node.drained': 5,
};

/** How long what a refused client still sends is read and thrown away, so that it gets to read why. */
const LINGER_MS = 1000;
/** How much of it is read at most. */
const LINGER_BYTES = 256 * 1024;
/** A chunk of a byte costs the event loop as much as one of so many. */
const MIN_CHUNK_COST_BYTES = 256;

/** What a refused client is told (RFC 9457, `application/problem+json`). */
type Problem = Readonly<ProblemDocument>;

/** A refusal that tells more than its reason. */
export class ProblemError extends TidewayError {
  /** Further members of the problem document. */
  readonly members: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, members: Readonly<Record<string, unknown>>) {
    super(code, message);
    this.members = members;
  }
}

/** Any error as a refusal. What is no TidewayError is our own fault, and its message stays here. */
export function asRefusal(error: unknown): TidewayError {
  if (error instanceof TidewayError) return error;
  return new TidewayError(
    'http.internal',
    'the node failed at this request: see its log',
    {},
    { cause: error },
  );
}

/** The status of a refusal for this reason. */
export function statusOf(code: string): number {
  return STATUS[code] ?? UNAVAILABLE;
}

/** Answers with a JSON document that nobody caches. */
export function answerJson(response: ServerResponse, status: number, document: unknown): void {
  const body = `${JSON.stringify(document)}\n`;
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  });
  response.end(body);
}

/** Refuses a request; one whose body still comes is closed within a second, without keeping a byte of it. */
export function refuse(
  { request, response }: { request: IncomingMessage; response: ServerResponse },
  error: TidewayError,
  clock: Clock,
): void {
  if (response.headersSent) {
    request.socket.destroy();
    return;
  }
  const problem = problemOf(error);
  const body = problemText(problem);
  if (!request.complete || isNotLetIn(error)) response.setHeader('Connection', 'close');
  response.writeHead(problem.status, {
    'Content-Type': 'application/problem+json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    ...retryAfter(problem),
    ...wayIn(problem),
  });
  if (request.complete) {
    response.end(body);
    return;
  }
  // Ending the response now would close the socket with bytes unread, and the reset would overtake the reason.
  response.write(body);
  request.once('end', () => response.end());
  const { socket } = request;
  let patienceBytes = LINGER_BYTES;
  request.on('data', (chunk: Buffer) => {
    patienceBytes -= Math.max(chunk.length, MIN_CHUNK_COST_BYTES);
    if (patienceBytes < 0) socket.destroy();
  });
  const linger = clock.after(LINGER_MS, () => socket.destroy());
  socket.once('close', () => linger.cancel());
}

/** Who may not publish or play, and asks again at once, has to connect again: of connections there are so many a second. */
function isNotLetIn({ code }: TidewayError): boolean {
  return code.startsWith('auth.');
}

/** Refuses on a socket that has no response object: an upgrade, or a request that could not be parsed. */
export function refuseSocket(socket: Socket, error: TidewayError, request?: IncomingMessage): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const problem = problemOf(error);
  const body = problemText(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    'Connection: close',
    'Access-Control-Allow-Origin: *',
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(request ? [`${REQUEST_ID_HEADER}: ${requestIdOf(request)}`] : []),
    ...Object.entries({ ...retryAfter(problem), ...wayIn(problem) }).map(
      ([name, value]) => `${name}: ${value}`,
    ),
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

function problemOf(error: TidewayError): Problem {
  const { code, message: detail } = error;
  const status = error instanceof WireError ? (STATUS[code] ?? 400) : statusOf(code);
  // §3.2: what an error tells beyond what all do.
  const members = error instanceof ProblemError ? error.members : {};
  return { type: `/errors#${code}`, title: STATUS_CODES[status] ?? '', status, code, detail, ...members };
}

function retryAfter({ code }: Problem): Readonly<Record<string, number>> {
  const seconds = RETRY_AFTER_S[code];
  return seconds === undefined ? {} : { 'Retry-After': seconds };
}

/** RFC 9110 §15.5.2: a 401 says how to come in; what the API wants, it says itself. */
function wayIn({ code, status }: Problem): Readonly<Record<string, string>> {
  return status === 401 && code.startsWith('auth.') ? { 'WWW-Authenticate': 'Bearer realm="tideway"' } : {};
}

function problemText(problem: Problem): string {
  return `${JSON.stringify(problem)}\n`;
}
