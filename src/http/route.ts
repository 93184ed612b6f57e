// What the HTTP server needs from whoever answers requests, and how a request's target is read.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { TidewayError } from '../base/errors.ts';

/** Answers some methods on some paths. A TidewayError that it throws becomes the answer. */
export interface Route {
  readonly methods: readonly string[];
  /** For operators, not for pages of other sites: nothing of it is shared with other origins (CORS). */
  readonly isPrivate?: boolean;
  /** What a crowd must not take from operators: it is answered also where http.maxConnections are busy. */
  readonly isVital?: boolean;
  /** @param path of the URL, still percent-encoded */
  matches(path: string): boolean;
  handle(request: IncomingMessage, response: ServerResponse, url: URL): void | Promise<void>;
}

/** Takes WebSocket upgrades on some paths. A TidewayError that it throws before the handshake becomes the answer. */
export interface UpgradeRoute {
  matches(path: string): boolean;
  /** @param head bytes that came behind the request's head already */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer, url: URL): void | Promise<void>;
}

/**
 * A request's target as a URL; its host is of no meaning. Only the origin form is taken (RFC 9112 §3.2.1).
 * @throws TidewayError `http.bad-url`; the message never repeats the target
 */
export function parseTarget(target: string | undefined): URL {
  if (target?.startsWith('/') && !target.startsWith('//')) {
    try {
      const url = new URL(`http://node${target}`);
      if (!hasControl(decodeURIComponent(url.pathname))) return url;
    } catch {
      // Falls through to the one refusal.
    }
  }
  throw new TidewayError('http.bad-url', 'the request target must be one valid path, like /app/name.flv');
}

function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    if (text.charCodeAt(at) < 0x20) return true;
  }
  return false;
}
