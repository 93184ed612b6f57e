// A request of the HTTP server with what log lines about it tell: the server makes it, routes mark it.
import { IncomingMessage } from 'node:http';
import { addressOf, remoteOf, toldPeer } from './remote.ts';

export class MarkedRequest extends IncomingMessage {
  /** Of this request, in the answer and in the lines about it. */
  requestId = '';
  /** The id of the session that it asks for, once that is known. */
  session: string | undefined;
  /** Address of who asks, where a proxy passed the request on and says so in a header. */
  askedBy: string | undefined;
  /** It came from an address that is one of a proxy. */
  isOfProxy = false;
}

/** The request asks for a session: lines about it tell so. */
export function markSession(request: IncomingMessage, session: string): void {
  if (request instanceof MarkedRequest) request.session = session;
}

/** The id of the session that it asks for; undefined where it asks for none. */
export function sessionOf(request: IncomingMessage): string | undefined {
  return request instanceof MarkedRequest ? request.session : undefined;
}

/** "address:port" of who asks, for logs; the port is 0 where a proxy's header names the address alone. */
export function remoteOfRequest(request: IncomingMessage): string {
  const asker = request instanceof MarkedRequest ? request.askedBy : undefined;
  return asker === undefined ? remoteOf(request.socket) : `${asker}:0`;
}

/** The address of who asks; undefined: it is gone. */
export function addressOfRequest(request: IncomingMessage): string | undefined {
  const asker = request instanceof MarkedRequest ? request.askedBy : undefined;
  return asker ?? addressOf(request.socket);
}

/** Does it come by a proxy, so that its address says nothing of the machine that it is from? */
export function isProxied(request: IncomingMessage): boolean {
  return toldPeer(request.socket) !== undefined || (request instanceof MarkedRequest && request.isOfProxy);
}
