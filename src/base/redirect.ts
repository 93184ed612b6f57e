// How a player is sent to another node: once at most, with the query that it came with and the id of its session, and over
// HTTP by a 302.
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { isSessionId } from './session-id.ts';
import type { StreamKey } from './stream-key.ts';

/** A player at a door of this node. */
export interface Arrival {
  readonly key: StreamKey;
  readonly protocol: 'http-flv' | 'ws-flv' | 'rtmp';
  /** Of its URL. Secret. */
  readonly query: URLSearchParams;
  /** Of its request, names in lower case; none with RTMP. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** "address:port" of the player. */
  readonly remote: string;
  /** The id of its session. */
  readonly session: string;
}

/** Where a player had better go, as a URL with all that it needs; undefined: it is served here. Waits for nothing. */
export type SendOn = (arrival: Arrival) => string | undefined;

/** In the query of who was sent by another node: it is sent no further. */
const HOP_MARK = 'tw_hop';
/** The id of the session that it has had there. */
const SESSION = 'tw_session';

/** Was the player sent here by another node? Then this one serves it, so that nobody is ever sent in a ring. */
export function wasSentHere(query: URLSearchParams): boolean {
  return query.has(HOP_MARK);
}

/** The id that another node gave to who comes with this query; undefined where there is none, or nothing like one. */
export function sessionBrought(query: URLSearchParams): string | undefined {
  const brought = query.get(SESSION) ?? '';
  return isSessionId(brought) ? brought : undefined;
}

/** The query, for the next node: it goes on with the session of this id. */
export function withSession(query: URLSearchParams, session: string): URLSearchParams {
  const kept = new URLSearchParams(query);
  kept.set(SESSION, session);
  return kept;
}

/**
 * The URL of a stream on another node, with the query that the player came with, the mark, and the id of its session.
 * @param url without a query
 */
export function sentOnUrl(
  url: string,
  { query, session }: { readonly query: URLSearchParams; readonly session: string },
): string {
  const kept = new URLSearchParams(query);
  kept.set(HOP_MARK, '1');
  return withQuery(url, withSession(kept, session));
}

/** @param url without a query */
export function withQuery(url: string, query: URLSearchParams): string {
  const to = new URL(url);
  to.search = query.toString();
  return to.href;
}

/** Answers with a 302 that nobody caches. */
export function redirectResponse(response: ServerResponse, location: string): void {
  response.writeHead(302, { Location: location, 'Content-Length': 0, 'Cache-Control': 'no-store' });
  response.end();
}

/** The same on a socket that has no response object: one that asks for an upgrade. */
export function redirectSocket(socket: Socket, location: string): void {
  const head = [
    'HTTP/1.1 302 Found',
    `Location: ${location}`,
    'Connection: close',
    'Access-Control-Allow-Origin: *',
    'Cache-Control: no-store',
    'Content-Length: 0',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n`, () => socket.destroy());
}
