// Who may ask the JSON API: this machine, or who has the token; a route of the API is one that it guards. It compares; it
// never logs what it compares.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { TidewayError } from '../base/errors.ts';
import { isProxied } from '../base/marked-request.ts';
import type { Route } from './route.ts';

/** What is looked at of a request. */
export interface ApiRequest {
  /** The other end of the socket; undefined: it is gone, or a proxy speaks for it. */
  readonly remoteAddress: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

const LOOPBACK = /^(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/i;
/** Who forwards says so with one of these: then the socket tells nothing about who asked. */
const FORWARDING: readonly string[] = [
  'forwarded',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
];
const BEARER = /^Bearer +(\S+) *$/i;

export class ApiAccess {
  readonly #token: Buffer | undefined;

  /** @param options.token what others than this machine must show; undefined: nobody else is answered */
  constructor(options: { token: string | undefined }) {
    this.#token = options.token === undefined ? undefined : digest(options.token);
  }

  /** The route, for nobody but who may ask (others are told why not, as `check` does), and for no page of another site. */
  guard(route: Omit<Route, 'isPrivate'>): Route {
    return {
      methods: route.methods,
      isPrivate: true,
      matches: (path) => route.matches(path),
      handle: (request, response, url) => {
        this.#admit(request, response);
        return route.handle(request, response, url);
      },
    };
  }

  /**
   * A token that is shown has to be right, wherever it comes from; without one, only this machine is answered.
   * @throws TidewayError `api.token`, `api.loopback-only`
   */
  check(request: ApiRequest): void {
    const { authorization } = request.headers;
    if (this.#token && authorization !== undefined) {
      const [, given = ''] = BEARER.exec(authorization) ?? [];
      if (timingSafeEqual(digest(given), this.#token)) return;
      throw new TidewayError('api.token', 'the token is wrong: it is api.token of the node');
    }
    const why = whyNotLocal(request);
    if (why === undefined) return;
    if (this.#token) {
      throw new TidewayError('api.token', `${why}, so it wants "Authorization: Bearer <api.token>"`);
    }
    throw new TidewayError(
      'api.loopback-only',
      `${why}, and this node has no api.token: ask on its own machine`,
    );
  }

  #admit(request: IncomingMessage, response: ServerResponse): void {
    try {
      const { socket, headers } = request;
      this.check({ remoteAddress: isProxied(request) ? undefined : socket.remoteAddress, headers });
    } catch (error) {
      // RFC 9110 §15.5.2: a 401 says how to come in.
      if (error instanceof TidewayError && error.code === 'api.token') {
        response.setHeader('WWW-Authenticate', 'Bearer realm="tideway"');
      }
      throw error;
    }
  }
}

/** Is it an address that only this machine itself can have? Stricter than base/address.ts: names are not enough. */
export function isLoopbackAddress(address: string | undefined): boolean {
  return address === '::1' || (address !== undefined && LOOPBACK.test(address));
}

function whyNotLocal({ remoteAddress, headers }: ApiRequest): string | undefined {
  if (!isLoopbackAddress(remoteAddress)) return 'the request comes from another machine';
  if (FORWARDING.some((name) => headers[name] !== undefined)) return 'the request was forwarded';
  // A page whose own name was made to point here (DNS rebinding) would be the same origin to a browser.
  if (!isAddressOrLocalhost(headers.host))
    return 'the request names a host that is no address and not localhost';
  return undefined;
}

/** Of a Host header (RFC 9110 §7.2): an IP address or `localhost`, with a port or without. */
function isAddressOrLocalhost(host: string | undefined): boolean {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d{1,5})?$/.exec(host ?? '') ?? [];
  if (bracketed !== undefined) return isIP(bracketed) === 6;
  return plain !== undefined && (isIP(plain) === 4 || plain.toLowerCase() === 'localhost');
}

/** Digests have one length, so that comparing them takes one time. */
function digest(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
