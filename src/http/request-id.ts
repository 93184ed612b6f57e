// The id of a request: the client's own, where it has the form of one, else a new one. It is in the answer, in the lines of
// the log, and in what other nodes are asked for it.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { MarkedRequest } from '../base/marked-request.ts';

export const REQUEST_ID_HEADER = 'X-Request-Id';
const FORM = /^[A-Za-z0-9._-]{1,64}$/;

/** Gives the request its id. Done by the server, before anything else. */
export function nameRequest(request: IncomingMessage): void {
  if (!(request instanceof MarkedRequest)) return;
  const given = request.headers['x-request-id'];
  request.requestId = typeof given === 'string' && FORM.test(given) ? given : randomUUID();
}

/** The id of a request of the server. */
export function requestIdOf(request: IncomingMessage): string {
  return request instanceof MarkedRequest ? request.requestId : '';
}
