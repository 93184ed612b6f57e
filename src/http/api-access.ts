// Who may ask the JSON API, and what for: this machine, or who has a token, each with a role. It compares, and slows down who
// guesses or asks too often; it never logs what it compares.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { addressGroup } from '../base/address.ts';
import type { Clock } from '../base/clock.ts';
import { TidewayError } from '../base/errors.ts';
import { RateLimiter } from '../base/rate-limiter.ts';
import { mayAct, type Role } from '../base/role.ts';
import type { Table } from '../base/table.ts';

/** What is looked at of a request. */
export interface ApiRequest {
  /** Of who asks; undefined: it is gone. */
  readonly remoteAddress: string | undefined;
  /** A proxy speaks for who asks. */
  readonly isProxied?: boolean;
  readonly headers: IncomingHttpHeaders;
}

/** Who asks. */
export interface Caller {
  /** Of the token; `api.token` or `loopback`, where it has none. */
  readonly name: string;
  readonly role: Role;
}

/** A token that only its hash is known of. */
export interface NamedToken {
  readonly name: string;
  readonly role: Role;
  /** SHA-256 of the token, in hex. */
  readonly sha256: string;
}

export interface AccessRules {
  /** Of an admin. */
  readonly token?: string | undefined;
  readonly tokens?: readonly NamedToken[] | undefined;
  /** Of this machine, too. */
  readonly requireToken: boolean;
  /** Of one token, and of one address without a right one. */
  readonly requestsPerSecond: number;
}

export interface ApiAccessNeeds {
  readonly clock: Clock;
  /** As they are now. */
  readonly rules: () => AccessRules;
}

/** A token, ready to be compared. */
interface Known {
  readonly caller: Caller;
  readonly digest: Buffer;
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
const LOCAL: Caller = { name: 'loopback', role: 'admin' };
/** Callers, and addresses that showed a wrong token, which are known at once. */
const MAX_CALLERS = 4_096;
/** What may be asked at once, after a pause, in seconds of `requestsPerSecond`. */
const BURST_S = 4;
/** Wrong tokens that one address may show. */
const TRIES = { perSecond: 0.1, burst: 10 };

export class ApiAccess {
  readonly #clock: Clock;
  readonly #rules: () => AccessRules;
  readonly #asked: RateLimiter;
  readonly #tries = new RateLimiter({ table: 'api_tries', maxKeys: MAX_CALLERS, rate: () => TRIES });
  #known: { readonly of: AccessRules; readonly tokens: readonly Known[] } | undefined;

  constructor({ clock, rules }: ApiAccessNeeds) {
    this.#clock = clock;
    this.#rules = rules;
    this.#asked = new RateLimiter({
      ...{ table: 'api_callers', maxKeys: MAX_CALLERS },
      rate: () => {
        const { requestsPerSecond: perSecond } = rules();
        return { perSecond, burst: perSecond * BURST_S };
      },
    });
  }

  get tables(): Table[] {
    return [this.#asked.table, this.#tries.table];
  }

  /**
   * Who asks. A token that is shown has to be right, wherever it comes from; without one, only this machine is answered.
   * @throws TidewayError `api.token`, `api.loopback-only`, `api.too-many-requests`, `api.too-many-tries`
   */
  identify(request: ApiRequest): Caller {
    const caller = this.#callerOf(request);
    if (caller === LOCAL) return caller;
    const key = caller instanceof TidewayError ? groupOf(request) : `token ${caller.name}`;
    if (!this.#asked.take(key, this.#clock.now())) {
      const { requestsPerSecond } = this.#rules();
      throw new TidewayError(
        'api.too-many-requests',
        `more than ${requestsPerSecond} requests a second come from here: ask less often`,
      );
    }
    if (caller instanceof TidewayError) throw caller;
    return caller;
  }

  /** Would the request be let in by the rules as they are now, for as much? That is no try, and not counted. */
  stillAdmits(request: ApiRequest, needed: Role): boolean {
    const { authorization } = request.headers;
    const tokens = this.#tokens();
    const caller =
      tokens.length > 0 && authorization !== undefined
        ? holderOf(authorization, tokens)
        : this.#withoutToken(request, tokens);
    if (!caller || caller instanceof TidewayError) return false;
    return mayAct(caller.role, needed);
  }

  /** @throws TidewayError `api.role` */
  check({ name, role }: Caller, needed: Role): void {
    if (mayAct(role, needed)) return;
    throw new TidewayError(
      'api.role',
      `this takes the role ${needed}, and the token "${name}" is of a ${role}`,
    );
  }

  #callerOf(request: ApiRequest): Caller | TidewayError {
    const { authorization } = request.headers;
    const tokens = this.#tokens();
    if (tokens.length > 0 && authorization !== undefined) return this.#holder(request, authorization, tokens);
    return this.#withoutToken(request, tokens);
  }

  #withoutToken(request: ApiRequest, tokens: readonly Known[]): Caller | TidewayError {
    const { requireToken } = this.#rules();
    const why = whyNotLocal(request) ?? (requireToken ? 'api.requireToken is set' : undefined);
    if (why === undefined) return LOCAL;
    if (tokens.length > 0) {
      return new TidewayError('api.token', `${why}, so it wants "Authorization: Bearer <token>"`);
    }
    return new TidewayError(
      'api.loopback-only',
      `${why}, and this node has no api.token and no api.tokens: ask on its own machine`,
    );
  }

  /** Who guesses is not told whether a guess was right, once it had its tries. */
  #holder(request: ApiRequest, authorization: string, tokens: readonly Known[]): Caller | TidewayError {
    const from = groupOf(request);
    if (!this.#tries.allows(from, this.#clock.now())) {
      throw new TidewayError(
        'api.too-many-tries',
        'too many wrong tokens came from here: none is looked at for a while',
      );
    }
    const holder = holderOf(authorization, tokens);
    if (holder) return holder;
    this.#tries.take(from, this.#clock.now());
    return new TidewayError(
      'api.token',
      'the token is wrong: it is none of api.token and api.tokens of the node',
    );
  }

  #tokens(): readonly Known[] {
    const rules = this.#rules();
    if (this.#known?.of !== rules) this.#known = { of: rules, tokens: knownTokens(rules) };
    return this.#known.tokens;
  }
}

/** Is it an address that only this machine itself can have? Stricter than base/address.ts: names are not enough. */
export function isLoopbackAddress(address: string | undefined): boolean {
  return address === '::1' || (address !== undefined && LOOPBACK.test(address));
}

function knownTokens({ token, tokens = [] }: AccessRules): Known[] {
  const named = tokens.map(({ name, role, sha256 }) => ({
    caller: { name, role },
    digest: Buffer.from(sha256, 'hex'),
  }));
  if (token === undefined) return named;
  return [{ caller: { name: 'api.token', role: 'admin' }, digest: digestOf(token) }, ...named];
}

/** Whose token it is; undefined: nobody's. */
function holderOf(authorization: string, tokens: readonly Known[]): Caller | undefined {
  const [, given = ''] = BEARER.exec(authorization) ?? [];
  const digest = digestOf(given);
  // All are compared, so that the time tells nothing about which it was.
  const [holder] = tokens.filter((token) => timingSafeEqual(digest, token.digest));
  return holder?.caller;
}

function groupOf({ remoteAddress = 'unknown' }: ApiRequest): string {
  return addressGroup(remoteAddress);
}

function whyNotLocal({ remoteAddress, isProxied: isByProxy, headers }: ApiRequest): string | undefined {
  if (isByProxy) return 'the request came by a proxy';
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
function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
