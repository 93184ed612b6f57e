// A request of the HTTP server with what log lines about it tell: the server makes it, routes mark it.
import { IncomingMessage } from 'node:http';

export class MarkedRequest extends IncomingMessage {
  /** Of this request, in the answer and in the lines about it. */
  requestId = '';
  /** The id of the session that it asks for, once that is known. */
  session: string | undefined;
}

/** The request asks for a session: lines about it tell so. */
export function markSession(request: IncomingMessage, session: string): void {
  if (request instanceof MarkedRequest) request.session = session;
}

/** The id of the session that it asks for; undefined where it asks for none. */
export function sessionOf(request: IncomingMessage): string | undefined {
  return request instanceof MarkedRequest ? request.session : undefined;
}
