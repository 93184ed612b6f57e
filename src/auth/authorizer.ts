// May this publisher or player have the stream? If not, why: by the rules of the operator, before anything is looked up.
// It compares; it never logs what it compares.
import { createHash, timingSafeEqual } from 'node:crypto';
import { hostOf } from '../base/address.ts';
import { TidewayError } from '../base/errors.ts';
import type { StreamKey } from '../base/stream-key.ts';
import { checkToken, type JwtOptions } from './jwt.ts';
import { plainAddress } from './networks.ts';
import { type PublishHint, publishHint } from './publish-hint.ts';
import { type Action, type AuthRule, defaultRules, letAnybodyIn, type Way, waysTo } from './rules.ts';
import { checkSigned, isSigned, type SigningKey } from './signed-url.ts';
import type { Webhooks } from './webhooks.ts';

/** Who asks for a stream, with all that it gives. */
export interface Asker {
  readonly key: StreamKey;
  /** Of its URL. Secret. */
  readonly query: URLSearchParams;
  readonly protocol: 'rtmp' | 'http-flv' | 'ws-flv';
  /** "address:port" of its socket. */
  readonly remote: string;
  /** The id of its session. */
  readonly session: string;
  /** The header of its request. Secret. */
  readonly authorization?: string | undefined;
}

export interface AuthOptions {
  readonly publishSecret: string | undefined;
  /** Undefined: who has the secret may publish. */
  readonly publish?: readonly AuthRule[] | undefined;
  /** Undefined: everybody may play. */
  readonly play?: readonly AuthRule[] | undefined;
  /** Of signed URLs. */
  readonly keys?: readonly SigningKey[] | undefined;
  /** What is good for longer is refused, s. */
  readonly maxAheadS: number;
  readonly jwt?: Omit<JwtOptions, 'maxAheadS'> | undefined;
}

export interface AuthNeeds {
  /** Registry time, or what comes nearest to it. */
  readonly wallMs: () => number;
  /** The operator's own server; undefined: there is none. */
  readonly webhooks?: Pick<Webhooks, 'check'> | undefined;
}

/** How somebody was let in. */
export interface Admission {
  readonly way: Way;
  /** By a header, which is not sent along where a player is sent to another node. */
  readonly isByHeader: boolean;
}

/** May who asks play? Done before the stream is looked up. @throws TidewayError `auth.*` */
export type AdmitPlayer = (asker: Asker) => Promise<Admission>;

/** In the query: a JWT. */
const TOKEN = 'tw_token';
/** RFC 6750 §2.1 */
const BEARER = /^Bearer +(\S+) *$/i;
/** What is told to who gives nothing. */
const WANTED: Readonly<Record<Way, string>> = {
  none: '',
  open: '',
  secret: 'the publish secret (?key=)',
  signed: 'a signed URL (tw_sig)',
  jwt: 'a token (tw_token, or a bearer token by HTTP)',
  webhook: '',
};

/** By what somebody is judged: one that asks is, from first to last, by what counted when it came. */
interface Policy {
  readonly options: AuthOptions;
  readonly publishSecret: Buffer | undefined;
  readonly rules: Readonly<Record<Action, readonly AuthRule[]>>;
}

export class Authorizer {
  #policy: Policy;
  readonly #needs: AuthNeeds;
  /** By action and way; both are of the program. */
  readonly #admitted = new Map<string, { readonly action: Action; readonly way: Way; count: number }>();
  readonly #refused = new Map<string, { readonly action: Action; readonly code: string; count: number }>();

  constructor(options: AuthOptions, needs: AuthNeeds) {
    this.#policy = policyOf(options);
    this.#needs = needs;
  }

  /** Judges who comes from now on by these. */
  use(options: AuthOptions): void {
    this.#policy = policyOf(options);
  }

  /** Is there no stream that anybody may publish? */
  get guardsPublish(): boolean {
    return !letAnybodyIn(this.#policy.rules.publish);
  }

  /** What a publisher of the stream has to know. */
  publishHint(key: StreamKey): PublishHint {
    return publishHint(key, waysTo(key, this.#policy.rules.publish));
  }

  /** @throws TidewayError `publish.denied`, `auth.*` */
  readonly admitPublisher = (asker: Asker): Promise<Admission> => this.#admit('publish', asker);

  readonly admitPlayer: AdmitPlayer = (asker) => this.#admit('play', asker);

  /** Is the operator's own server to be told when a session on the stream that begins now is over? */
  tellsEnd(action: Action, key: StreamKey): boolean {
    return waysTo(key, this.#policy.rules[action]).includes('webhook');
  }

  /** How often somebody was let in, and refused. */
  get counts() {
    return { admitted: [...this.#admitted.values()], refused: [...this.#refused.values()] };
  }

  async #admit(action: Action, asker: Asker): Promise<Admission> {
    try {
      const admission = await this.#decide(action, asker, this.#policy);
      const { way } = admission;
      counted(this.#admitted, `${action} ${way}`, { action, way }).count += 1;
      return admission;
    } catch (error) {
      const code = error instanceof TidewayError ? error.code : 'http.internal';
      counted(this.#refused, `${action} ${code}`, { action, code }).count += 1;
      throw error;
    }
  }

  /** Any of the ways will do; of several refusals the first is told. */
  async #decide(action: Action, asker: Asker, policy: Policy): Promise<Admission> {
    const ways = waysTo(asker.key, policy.rules[action]);
    if (ways.includes('open')) return { way: 'open', isByHeader: false };
    let refusal: unknown;
    for (const way of ways) {
      try {
        const admission = await this.#try(way, action, asker, policy);
        if (admission) return admission;
      } catch (error) {
        refusal ??= error;
      }
    }
    throw refusal ?? this.#missing(action, asker.key, ways);
  }

  /** Undefined: nothing was given that is for this way. */
  async #try(way: Way, action: Action, asker: Asker, policy: Policy): Promise<Admission | undefined> {
    switch (way) {
      case 'secret':
        return this.#trySecret(asker, policy);
      case 'signed':
        return this.#trySigned(action, asker, policy);
      case 'jwt':
        return this.#tryToken(action, asker, policy);
      case 'webhook':
        await this.#needs.webhooks?.check(action, asker, asker.query);
        return this.#needs.webhooks && { way: 'webhook', isByHeader: false };
      default:
        return undefined;
    }
  }

  #trySecret({ query }: Asker, { publishSecret }: Policy): Admission | undefined {
    const given = query.get('key');
    if (given === null || publishSecret === undefined) return undefined;
    if (timingSafeEqual(digest(given), publishSecret)) return { way: 'secret', isByHeader: false };
    throw new TidewayError('publish.denied', 'the publish secret is wrong');
  }

  #trySigned(action: Action, { key, query, remote }: Asker, { options }: Policy): Admission | undefined {
    if (!isSigned(query)) return undefined;
    const request = { action, key, query, address: plainAddress(hostOf(remote)) };
    const { keys = [], maxAheadS } = options;
    checkSigned(request, keys, { nowWallMs: this.#needs.wallMs(), maxAheadS });
    return { way: 'signed', isByHeader: false };
  }

  async #tryToken(
    action: Action,
    { key, query, authorization }: Asker,
    { options }: Policy,
  ): Promise<Admission | undefined> {
    const { jwt, maxAheadS } = options;
    const [inQuery, ...more] = query.getAll(TOKEN);
    const [, inHeader] = BEARER.exec(authorization ?? '') ?? [];
    const token = inQuery ?? inHeader;
    if (token === undefined || !jwt) return undefined;
    if (more.length > 0) throw new TidewayError('auth.malformed', `${TOKEN} is given more than once`);
    await checkToken(token, { action, key }, { ...jwt, maxAheadS, nowWallMs: this.#needs.wallMs() });
    return { way: 'jwt', isByHeader: inQuery === undefined };
  }

  #missing(action: Action, key: StreamKey, ways: readonly Way[]): TidewayError {
    const wanted = ways.map((way) => WANTED[way]).filter((text) => text !== '');
    if (wanted.length === 0) {
      return new TidewayError(
        'auth.closed',
        `nobody may ${action} ${key} here: no rule of this node lets them`,
      );
    }
    if (ways.every((way) => way === 'secret')) {
      const message = 'this node wants a publish secret: append ?key=... to the stream name';
      return new TidewayError('publish.denied', message);
    }
    return new TidewayError('auth.missing', `to ${action} ${key}, this node wants ${wanted.join(' or ')}`);
  }
}

function policyOf(options: AuthOptions): Policy {
  const { publishSecret, publish, play } = options;
  return {
    options,
    publishSecret: publishSecret === undefined ? undefined : digest(publishSecret),
    rules: {
      publish: publish ?? defaultRules('publish', publishSecret),
      play: play ?? defaultRules('play', undefined),
    },
  };
}

function counted<T extends object>(counts: Map<string, T & { count: number }>, name: string, labels: T) {
  const known = counts.get(name) ?? { ...labels, count: 0 };
  counts.set(name, known);
  return known;
}

/** Digests have one length, so that comparing them takes one time. */
function digest(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
